#include <algorithm>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include "binding.hpp"
#include "grey.hpp"

namespace stp3 {
namespace {

using Values = nb::ndarray<const float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
template <class Grey>
using Greys = nb::ndarray<Grey, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

template <class Grey>
void convert(const Values& slices, float low, float scale, const Greys<Grey>& out, int threads, const std::string& instructions) {
  for (int axis = 0; axis < 3; axis++) require_length(out.shape(axis), slices.shape(axis), "each axis of out", "as in slices");
  require(threads >= 1 && threads <= kMaxThreads, "threads must be between 1 and " + std::to_string(kMaxThreads), threads);
  const std::string set = chosen_instructions(instructions);
  const std::size_t count = slices.size();
  const float top = std::numeric_limits<Grey>::max();
  nb::gil_scoped_release others_may_run;
  const auto part = [&](std::size_t begin, std::size_t end) {
    STP3_DISPATCH(set, to_grey(slices.data() + begin, end - begin, low, scale, top, out.data() + begin));
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads; t++) others.emplace_back(part, count * t / threads, count * (t + 1) / threads);
  part(0, count / threads);
  for (auto& other : others) other.join();
}

template <class Value>
using Stored = nb::ndarray<const Value, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<std::uint64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// Work on a part of `count` values in each thread: part(number of the thread, begin, end).
template <class Part>
void in_parts(std::size_t count, int threads, const Part& part) {
  std::vector<std::thread> others;
  for (int t = 1; t < threads; t++) others.emplace_back(part, t, count * t / threads, count * (t + 1) / threads);
  part(0, 0, count / threads);
  for (auto& other : others) other.join();
}

// Tables of `length` each, of which the first values count.
void add_up(const std::vector<std::uint64_t>& tables, std::size_t length, const Counts& counts) {
  std::fill_n(counts.data(), counts.size(), 0);
  for (std::size_t table = 0; table < tables.size(); table += length)
    for (std::size_t i = 0; i < counts.size(); i++) counts.data()[i] += tables[table + i];
}

nb::tuple find_extent(const Stored<float>& values, int threads, const std::string& instructions) {
  require(threads >= 1 && threads <= kMaxThreads, "threads must be between 1 and " + std::to_string(kMaxThreads), threads);
  const std::string set = chosen_instructions(instructions);
  std::vector<Extent> found(threads);
  {
    nb::gil_scoped_release others_may_run;
    in_parts(values.size(), threads, [&](int number, std::size_t begin, std::size_t end) {
      found[number] = STP3_DISPATCH(set, extent(values.data() + begin, end - begin));
    });
  }
  Extent all = found[0];
  for (int t = 1; t < threads; t++)
    all = {std::min(all.low, found[t].low), std::max(all.high, found[t].high), all.finite + found[t].finite};
  return nb::make_tuple(all.low, all.high, all.finite);
}

void count_floats(const Stored<float>& values, float low, float high, float scale, int first, const Counts& counts, int threads,
                  const std::string& instructions) {
  require(threads >= 1 && threads <= kMaxThreads, "threads must be between 1 and " + std::to_string(kMaxThreads), threads);
  require(counts.size() >= 1 && counts.size() <= 65536, "counts must hold 1 to 65536 values", double(counts.size()));
  const double last = double(first) + double(counts.size());
  require(low <= high, "low must not be above high", low);
  require(std::floor(low * scale) >= first, "low * scale must not be below first", low * scale);
  require(std::floor(high * scale) < last, "high * scale must be below first + the length of counts", high * scale);
  require(std::fabs(double(first)) < 1 << 24 && last < 1 << 24, "bins must lie within 16777216 of 0", first);
  const std::string set = chosen_instructions(instructions);
  const int bins = int(counts.size());
  nb::gil_scoped_release others_may_run;
  std::vector<std::uint64_t> tables(std::size_t(threads) * kTables * (bins + 1));
  in_parts(values.size(), threads, [&](int number, std::size_t begin, std::size_t end) {
    std::uint64_t* own = tables.data() + std::size_t(number) * kTables * (bins + 1);
    STP3_DISPATCH(set, count_values(values.data() + begin, end - begin, {low, high, 0}, scale, first, bins, own));
  });
  add_up(tables, bins + 1, counts);
}

template <class Grey>
void count_greys(const Stored<Grey>& values, const Counts& counts, int threads) {
  constexpr std::size_t kGreys = std::size_t(std::numeric_limits<Grey>::max()) + 1;
  require_length(counts.size(), kGreys, "counts", "grey number");
  require(threads >= 1 && threads <= kMaxThreads, "threads must be between 1 and " + std::to_string(kMaxThreads), threads);
  nb::gil_scoped_release others_may_run;
  constexpr int kApart = kGreys > 256 ? 1 : kTables;
  std::vector<std::uint64_t> tables(std::size_t(threads) * kApart * kGreys);
  in_parts(values.size(), threads, [&](int number, std::size_t begin, std::size_t end) {
    std::uint64_t* own = tables.data() + std::size_t(number) * kApart * kGreys;
    std::size_t i = begin;
    for (; i + kApart <= end; i += kApart)
      for (int t = 0; t < kApart; t++) own[t * kGreys + values.data()[i + t]]++;
    for (; i < end; i++) own[values.data()[i]]++;
  });
  add_up(tables, kGreys, counts);
}

}  // namespace

void add_grey(nb::module_& m) {
  const char* const about = "Writes (slices - low) * scale, rounded and clipped, into `out`.";
  m.def("to_grey", &convert<unsigned char>, "slices"_a.noconvert(), "low"_a, "scale"_a, "out"_a.noconvert(), "threads"_a,
        "instructions"_a = "", about);
  m.def("to_grey", &convert<unsigned short>, "slices"_a.noconvert(), "low"_a, "scale"_a, "out"_a.noconvert(), "threads"_a,
        "instructions"_a = "", about);
  m.def("extent", &find_extent, "values"_a.noconvert(), "threads"_a, "instructions"_a = "",
        "The least and the greatest finite value, and how many are finite.");
  m.def("count_values", &count_floats, "values"_a.noconvert(), "low"_a, "high"_a, "scale"_a, "first"_a, "counts"_a.noconvert(),
        "threads"_a, "instructions"_a = "",
        "Writes how many values of low ... high have floor(value * scale) == first + i into counts[i].");
  m.def("count_greys", &count_greys<unsigned char>, "values"_a.noconvert(), "counts"_a.noconvert(), "threads"_a,
        "Writes how often each grey number occurs into `counts`.");
  m.def("count_greys", &count_greys<unsigned short>, "values"_a.noconvert(), "counts"_a.noconvert(), "threads"_a);
}

}  // namespace stp3
