#include <algorithm>
#include <cfloat>
#include <cstdint>
#include <climits>

#include "binding.hpp"
#include "counts.hpp"
#include "instructions.hpp"

namespace stp3 {
namespace {

using Counts = nb::ndarray<nb::ro, nb::ndim<3>, nb::device::cpu>;
using Result = nb::ndarray<float, nb::ndim<3>, nb::device::cpu>;
using Frames = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const int, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t kCacheBytes = std::size_t(1) << 25;  // larger results would push everything else out of it

CountType type_of(const Counts& counts) {
  const nb::dlpack::dtype type = counts.dtype();
  if (type == nb::dtype<std::uint8_t>()) return CountType::u8;
  if (type == nb::dtype<std::uint16_t>()) return CountType::u16;
  if (type == nb::dtype<std::int16_t>()) return CountType::i16;
  if (type == nb::dtype<std::uint32_t>()) return CountType::u32;
  if (type == nb::dtype<std::int32_t>()) return CountType::i32;
  if (type == nb::dtype<float>()) return CountType::f32;
  if (type == nb::dtype<double>()) return CountType::f64;
  throw nb::value_error("counts must be uint8, uint16, int16, uint32, int32, float32 or float64.");
}

// Where an array begins and ends in memory.
template <class Array>
std::pair<std::uintptr_t, std::uintptr_t> extent(const Array& array, std::size_t item) {
  std::uintptr_t first = reinterpret_cast<std::uintptr_t>(array.data()), last = first;
  for (int axis = 0; axis < 3; axis++) {
    const std::ptrdiff_t step = array.stride(axis) * std::ptrdiff_t(array.shape(axis) - 1) * std::ptrdiff_t(item);
    (step < 0 ? first : last) += step;
  }
  return {first, last + item};
}

void require_same_or_apart(const Counts& counts, const Result& out) {
  const auto from = extent(counts, counts.itemsize()), to = extent(out, sizeof(float));
  if (from.second <= to.first || to.second <= from.first) return;
  bool same = counts.dtype() == nb::dtype<float>() && counts.data() == static_cast<const void*>(out.data());
  for (int axis = 0; axis < 3; axis++) same = same && (counts.stride(axis) == out.stride(axis) || counts.shape(axis) == 1);
  if (!same) throw nb::value_error("out must be the counts themselves or share no memory with them.");
}

void require_room_of_its_own(const Result& out) {
  const auto row = out.stride(1), angle = out.stride(0);
  const std::size_t width = out.shape(2), rows = out.shape(1);
  require(rows == 1 || std::size_t(std::abs(row)) >= width, "rows of out must not overlap: their stride must be at least the columns", double(row));
  require(out.shape(0) == 1 || std::size_t(std::abs(angle)) >= width, "projections of out must not overlap: their stride must be at least the columns", double(angle));
}

void check_flats(const Counts& counts, const Frames& dark, const Frames& flats, const Indices& earlier, const Floats& later) {
  require_length(dark.shape(0), flats.shape(0) > 0, "dark, axis 0,", "frame where there are flats");
  for (int axis : {1, 2}) {
    const char* each = axis == 1 ? "a row" : "a column";
    require_length(flats.shape(axis), counts.shape(axis), axis == 1 ? "flats, axis 1," : "flats, axis 2,", each);
    require_length(dark.shape(axis), counts.shape(axis), axis == 1 ? "dark, axis 1," : "dark, axis 2,", each);
  }
  if (flats.shape(0) < 2) return;
  require_length(earlier.size(), counts.shape(0), "earlier", "an angle");
  require_length(later.size(), counts.shape(0), "later", "an angle");
  const int most = int(flats.shape(0)) - 2;
  for (std::size_t i = 0; i < earlier.size(); i++)
    require(earlier.data()[i] >= 0 && earlier.data()[i] <= most,
            "earlier[" + std::to_string(i) + "] must be between 0 and " + std::to_string(most), earlier.data()[i]);
}

void correct(const Counts& counts, const Result& out, bool open_beam, const Frames& dark, const Frames& flats, const Indices& earlier,
             const Floats& later, const Frames& air, int window, double threshold, double floor, int threads, const std::string& instructions) {
  const CountType type = type_of(counts);
  for (int axis = 0; axis < 3; axis++) {
    require(counts.shape(axis) >= 1 && counts.shape(axis) <= INT_MAX / 2, "counts must have 1 to 1073741823 values along each axis", double(counts.shape(axis)));
    require_length(out.shape(axis), counts.shape(axis), "out", "of the counts along each axis");
  }
  const bool dense = (counts.stride(2) == 1 && out.stride(2) == 1) || counts.shape(2) == 1;
  require(dense, "the columns of counts and of out must lie side by side: stride 1", double(counts.stride(2) == 1 ? out.stride(2) : counts.stride(2)));
  require_room_of_its_own(out);
  require_same_or_apart(counts, out);
  if (flats.shape(0)) check_flats(counts, dark, flats, earlier, later);
  if (air.size()) {
    require_length(air.shape(0), counts.shape(0), "air, axis 0,", "an angle");
    require_length(air.shape(1), counts.shape(1), "air, axis 1,", "a row");
    require_length(air.shape(2), 2, "air, axis 2,", "a side");
  }
  require(window == 1 || window == 3 || window == 5 || window == 7, "window must be 1, 3, 5 or 7", window);
  require(threshold >= 0, "threshold must be 0 or more", threshold);
  require(floor == 0 || (floor >= FLT_MIN && floor <= FLT_MAX), "floor must be 0 or a normal float32", floor);
  require(threads >= 1 && threads <= kMaxThreads, "threads must be between 1 and " + std::to_string(kMaxThreads), threads);
  const bool stream = out.size() * sizeof(float) > kCacheBytes;
  const CountsPass pass{counts.data(), type, counts.stride(0), counts.stride(1), int(counts.shape(0)), int(counts.shape(1)),
                        int(counts.shape(2)), out.data(), out.stride(0), out.stride(1), open_beam, int(flats.shape(0)),
                        dark.data(), flats.data(), earlier.data(), later.data(), air.size() ? air.data() : nullptr, window, float(threshold), float(floor), stream};
  nb::gil_scoped_release others_may_run;
  run(pass, threads, instructions);
}

}  // namespace

void add_counts(nb::module_& m) {
  m.def("correct_counts", &correct, "counts"_a.noconvert(), "out"_a.noconvert(), "open_beam"_a, "dark"_a.noconvert(),
        "flats"_a.noconvert(), "earlier"_a.noconvert(), "later"_a.noconvert(), "air"_a.noconvert(), "window"_a, "threshold"_a, "floor"_a, "threads"_a,
        "instructions"_a = "", "Writes transmission, or line integrals, float32 (angles, rows, columns), into `out`.");
}

}  // namespace stp3
