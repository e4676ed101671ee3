#include <atomic>
#include <climits>
#include <system_error>
#include <thread>

#include "binding.hpp"
#include "profiles.hpp"

namespace stp3 {
namespace {

using Weights = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Lines = nb::ndarray<const float, nb::ndim<3>, nb::device::cpu>;
using Output = nb::ndarray<float, nb::ndim<3>, nb::device::cpu>;

template <class Array>
void require_shape(const Array& array, std::size_t count, std::size_t rows, std::size_t columns, const char* name) {
  const std::string what = name;
  require_length(array.shape(0), count, (what + ", axis 0,").c_str(), "a line of weights");
  require_length(array.shape(1), rows, (what + ", axis 1,").c_str(), "a row");
  require_length(array.shape(2), columns, (what + ", axis 2,").c_str(), "a column");
  require(array.stride(2) == 1 || columns == 1, "the columns of " + what + " must lie side by side: stride 1", double(array.stride(2)));
}

void on_threads(const Weighing& task, const std::string& set, int threads) {
  const int tiles = STP3_DISPATCH(set, count_tiles(task));
  std::atomic<int> next{0};
  const auto work = [&] {
    for (int tile = next++; tile < tiles; tile = next++) STP3_DISPATCH(set, weigh_tile(task, tile));
  };
  std::vector<std::thread> others;
  try {
    for (int member = 1; member < std::min(threads, tiles); member++) others.emplace_back(work);
  } catch (const std::system_error&) {  // no more threads to be had: those that came do the work
  }
  work();
  for (std::thread& other : others) other.join();
}

void weigh(const Weights& weights, const Lines& lines, const Output& out, const Lines* base, int threads, const std::string& instructions) {
  const std::size_t outputs = weights.shape(0), terms = weights.shape(1), rows = lines.shape(1), columns = lines.shape(2);
  require(rows * columns <= INT_MAX / 2, "lines must have at most 1073741823 pixels each", double(rows * columns));
  require(outputs <= INT_MAX / 2 && terms <= INT_MAX / 2, "weights must have at most 1073741823 lines and columns", double(outputs));
  require_shape(lines, terms, rows, columns, "lines");
  require_shape(out, outputs, rows, columns, "out");
  if (base) require_shape(*base, outputs, rows, columns, "base");
  require(threads >= 1 && threads <= kMaxThreads, "threads must be between 1 and " + std::to_string(kMaxThreads), threads);
  const Weighing task{weights.data(), int(outputs),  int(terms),      int(rows),
                      int(columns),   lines.data(),  lines.stride(0), lines.stride(1),
                      base ? base->data() : nullptr, base ? base->stride(0) : 0, base ? base->stride(1) : 0,
                      out.data(),     out.stride(0), out.stride(1)};
  const std::string set = chosen_instructions(instructions);
  nb::gil_scoped_release others_may_run;
  on_threads(task, set, threads);
}

void weighted_sums(const Weights& weights, const Lines& lines, const Output& out, int threads, const std::string& instructions) {
  weigh(weights, lines, out, nullptr, threads, instructions);
}

void subtract_weighted(const Lines& base, const Weights& weights, const Lines& lines, const Output& out, int threads, const std::string& instructions) {
  weigh(weights, lines, out, &base, threads, instructions);
}

}  // namespace

void add_profiles(nb::module_& m) {
  m.def("weighted_sums", &weighted_sums, "weights"_a.noconvert(), "lines"_a.noconvert(), "out"_a.noconvert(), "threads"_a,
        "instructions"_a = "", "Writes the sums over k of weights[i, k] * lines[k, row, column] into out[i, row, column].");
  m.def("subtract_weighted", &subtract_weighted, "base"_a.noconvert(), "weights"_a.noconvert(), "lines"_a.noconvert(),
        "out"_a.noconvert(), "threads"_a, "instructions"_a = "", "Writes base less those sums into `out`, which may be `base`.");
}

}  // namespace stp3
