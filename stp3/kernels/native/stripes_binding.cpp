#include <nanobind/stl/optional.h>

#include <climits>
#include <optional>

#include "binding.hpp"
#include "instructions.hpp"
#include "stripes.hpp"

namespace stp3 {
namespace {

using Sinograms = nb::ndarray<const float, nb::ndim<3>, nb::device::cpu>;
using Cleaned = nb::ndarray<float, nb::ndim<3>, nb::device::cpu>;
using Components = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Memory = nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void require_within(double value, double least, double most, const char* name) {
  require(value >= least && value <= most, std::string(name) + " must be between " + std::to_string(int(least)) + " and " + std::to_string(int(most)), value);
}

void require_window(int size, int columns, const char* name) {
  require_within(size, 1, std::min(columns, kMaxStripeWindow), name);
  require(size % 2 == 1, std::string(name) + " must be odd", size);
}

void require_shape(const Components& components, int angles, int count, const char* name) {
  require_length(components.shape(0), angles, name, "an angle");
  require_length(components.shape(1), count, name, "a component");
}

// What to remove, checked against the shape (angles, rows, columns).
class StripeRemover {
 public:
  StripeRemover(int angles, int rows, int columns, bool dead, bool large, double snr, int size_large, int size_small,
                std::optional<Components> analysis, std::optional<Components> synthesis, std::optional<Line> weights,
                const std::string& instructions)
      : instructions_(chosen_instructions(instructions)), analysis_(analysis), synthesis_(synthesis), weights_(weights) {
    require_within(angles, 1, kMaxStripeAngles, "angles");
    require_within(rows, 1, INT_MAX / 2, "rows");
    require_within(columns, 1, kMaxStripeColumns, "columns");
    require(snr > 0 && std::isfinite(snr), "snr must be above 0", snr);
    require_window(size_large, columns, "size_large");
    require_window(size_small, columns, "size_small");
    require(bool(analysis) == bool(synthesis), "analysis and synthesis come together; given", bool(analysis) + bool(synthesis));
    const int components = analysis ? int(analysis->shape(1)) : 0;
    if (analysis) {
      require_within(components, 1, kMaxComponents, "components");
      require_shape(*analysis, angles, components, "analysis");
      require_shape(*synthesis, angles, components, "synthesis");
      require(!dead && !large, "components allow neither dead nor large; given", dead + large);
    }
    require(!weights || analysis, "weights need components", components);
    if (weights) require_within(double(weights->size()), 1, 2 * kMaxStripeColumns, "the number of weights");
    task_ = {nullptr, 0, 0, nullptr, 0, 0, angles, rows, columns, dead, large, snr, size_large, size_small,
             analysis ? analysis->data() : nullptr, synthesis ? synthesis->data() : nullptr, components,
             weights ? weights->data() : nullptr, weights ? int(weights->size()) - 1 : 0};
  }

  std::size_t working_bytes(int threads) const {
    require_within(threads, 1, kMaxThreads, "threads");
    return stripe_bytes(task_, threads, instructions_);
  }

  void remove(const Sinograms& sinograms, const Cleaned& out, const Memory& memory, int threads) const {
    StripeTask task = task_;
    require_lines(sinograms, "sinograms");
    require_lines(out, "out");
    require(memory.size() >= working_bytes(threads), "memory must hold " + std::to_string(working_bytes(threads)) + " bytes", double(memory.size()));
    require(std::uintptr_t(memory.data()) % 64 == 0, "memory must begin a cache line of 64 bytes", double(std::uintptr_t(memory.data()) % 64));
    task.in = sinograms.data(), task.in_angle = sinograms.stride(0), task.in_row = sinograms.stride(1);
    task.out = out.data(), task.out_angle = out.stride(0), task.out_row = out.stride(1);
    nb::gil_scoped_release others_may_run;
    remove_stripes(task, memory.data(), threads, instructions_);
  }

 private:
  template <class Array>
  void require_lines(const Array& array, const std::string& name) const {
    require_length(array.shape(0), task_.angles, (name + ", axis 0,").c_str(), "an angle");
    require_length(array.shape(1), task_.rows, (name + ", axis 1,").c_str(), "a row");
    require_length(array.shape(2), task_.columns, (name + ", axis 2,").c_str(), "a column");
    require(array.stride(2) == 1 || task_.columns == 1, "the columns of " + name + " must lie side by side: stride 1", double(array.stride(2)));
  }

  std::string instructions_;
  std::optional<Components> analysis_, synthesis_;  // held, for the task points into them
  std::optional<Line> weights_;
  StripeTask task_;
};

}  // namespace

void add_stripes(nb::module_& m) {
  nb::class_<StripeRemover>(m, "StripeRemover", "Removes stripes from sinograms of one shape.")
      .def(nb::init<int, int, int, bool, bool, double, int, int, std::optional<Components>, std::optional<Components>,
                    std::optional<Line>, std::string>(),
           "angles"_a, "rows"_a, "columns"_a, nb::kw_only(), "dead"_a = false, "large"_a = false, "snr"_a = 3.0,
           "size_large"_a = 1, "size_small"_a = 1, "analysis"_a.none() = nb::none(), "synthesis"_a.none() = nb::none(),
           "weights"_a.none() = nb::none(), "instructions"_a = "")
      .def("working_bytes", &StripeRemover::working_bytes, "threads"_a)
      .def("remove", &StripeRemover::remove, "sinograms"_a.noconvert(), "out"_a.noconvert(), "memory"_a.noconvert(), "threads"_a,
           "Writes the sinograms, float32 (angles, rows, columns), without stripes into `out`, which may be the same.");
}

}  // namespace stp3
