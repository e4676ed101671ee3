#include <climits>
#include <complex>
#include <mutex>
#include <utility>

#include <nanobind/stl/pair.h>

#include "binding.hpp"
#include "gridder.hpp"
#include "instructions.hpp"

namespace stp3 {
namespace {

using Projections = nb::ndarray<const float, nb::ndim<3>, nb::device::cpu>;
using Slices = nb::ndarray<float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Signals = nb::ndarray<std::complex<float>, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr int kMaxColumns = 1 << 14, kMaxAngles = 1 << 17;

void require_smooth(int length, int least, int most, const char* name) {
  require(length >= least && length <= most,
          std::string(name) + " must be between " + std::to_string(least) + " and " + std::to_string(most), length);
  require(length % 2 == 0 && is_smooth(length / 2), std::string(name) + " must be even with no factors but 2, 3 and 5", length);
}

using Pair = std::pair<int, int>;
using Point = std::pair<double, double>;

Geometry checked_geometry(const Line& theta, const Line& weights, int columns, int padded, Pair picture, Pair grid, Point centre, bool edge) {
  require(columns >= 1 && columns <= kMaxColumns, "columns must be between 1 and " + std::to_string(kMaxColumns), columns);
  require(theta.size() >= 1 && theta.size() <= kMaxAngles, "theta must hold 1 to " + std::to_string(kMaxAngles) + " angles", double(theta.size()));
  require_length(weights.size(), theta.size(), "weights", "an angle");
  require_finite(theta, "theta");
  require_finite(weights, "weights");
  require_smooth(padded, std::max(2 * columns, 8), 16 * std::max(columns, 8), "padded");
  const auto require_side = [&](int pixels, int side, double middle, const char* index) {
    const std::string what = std::string("[") + index + "]";
    require(pixels >= 1 && pixels <= kMaxColumns, "picture" + what + " must be between 1 and " + std::to_string(kMaxColumns), pixels);
    require_smooth(side, std::max((5 * pixels + 3) / 4, 8), 16 * std::max(pixels, 8), ("grid" + what).c_str());
    require(std::fabs(middle) <= kMaxColumns, "centre" + what + " must be within +-" + std::to_string(kMaxColumns), middle);
  };
  require_side(picture.first, grid.first, centre.first, "0");
  require_side(picture.second, grid.second, centre.second, "1");
  Geometry geometry{columns, int(theta.size()), padded, picture.first, picture.second, grid.first, grid.second,
                    centre.first, centre.second, edge, {}, {}, {}};
  for (std::size_t a = 0; a < theta.size(); a++) {
    geometry.cosines.push_back(std::cos(theta.data()[a]));
    geometry.sines.push_back(std::sin(theta.data()[a]));
    geometry.weights.push_back(weights.data()[a]);
  }
  return geometry;
}

class Reconstructor {
 public:
  Reconstructor(const Line& theta, const Line& weights, int columns, int padded, Pair picture, Pair grid, Point centre, bool edge,
                const std::string& instructions)
      : instructions_(chosen_instructions(instructions)),
        plan_(checked_geometry(theta, weights, columns, padded, picture, grid, centre, edge)), gridder_(make_gridder(plan_, instructions_)) {}

  void reconstruct(const Projections& projections, const Floats& response, const Line& axes, const Slices& out, int threads, int grids) {
    const Geometry& g = plan_.geometry;
    const std::size_t rows = projections.shape(1);
    require_length(projections.shape(0), g.angles, "projections, axis 0,", "an angle");
    require_length(projections.shape(2), g.columns, "projections, axis 2,", "a column");
    require(rows >= 1 && rows <= INT_MAX / 2, "projections must have at least one row", double(rows));
    require(projections.stride(2) == 1 || g.columns == 1, "the columns of projections must lie side by side: stride 1", double(projections.stride(2)));
    require_length(response.size(), plan_.bins, "response", "a frequency");
    require_length(axes.size(), rows, "axes", "a row");
    require_finite(response, "response");
    for (std::size_t i = 0; i < rows; i++)
      require(std::fabs(axes.data()[i]) <= 4.0 * g.columns, "axes[" + std::to_string(i) + "] must be within +-" + std::to_string(4 * g.columns), axes.data()[i]);
    require_length(out.shape(0), rows, "out, axis 0,", "a row");
    require_length(out.shape(1), g.tall, "out, axis 1,", "a row of the picture");
    require_length(out.shape(2), g.wide, "out, axis 2,", "a column of the picture");
    require(threads >= 1 && threads <= kMaxThreads, "threads must be between 1 and " + std::to_string(kMaxThreads), threads);
    require(grids >= 1 && grids <= kMostGrids, "grids must be between 1 and " + std::to_string(kMostGrids), grids);
    const Batch batch{projections.data(), projections.stride(1), projections.stride(0), int(rows),
                      response.data(),    axes.data(),           out.data()};
    nb::gil_scoped_release others_may_run;
    const std::lock_guard<std::mutex> alone(busy_);
    stp3::reconstruct(*gridder_, batch, threads, grids);
  }

  std::size_t working_bytes() const { return gridder_->bytes(); }
  int lanes() const { return gridder_->lanes(); }
  const std::string& instructions() const { return instructions_; }

 private:
  std::string instructions_;
  GriddingPlan plan_;
  std::unique_ptr<Gridder> gridder_;
  std::mutex busy_;
};

void fft(const Signals& signals, bool inverse, const std::string& instructions) {
  const int length = int(signals.shape(1));
  require(length >= 1 && length <= 1 << 20 && is_smooth(length), "signals must be 1 to 1048576 long with no factors but 2, 3 and 5", length);
  const GriddingPlan plan({1, 1, 8, 1, 1, 8, 8, 0, 0, false, {1}, {0}, {1}});
  make_gridder(plan, instructions)->fft(reinterpret_cast<float*>(signals.data()), int(signals.shape(0)), FftPlan(length), inverse);
}

}  // namespace

void add_gridding(nb::module_& m) {
  m.def("fft", &fft, "signals"_a.noconvert(), "inverse"_a, "instructions"_a,
        "Transforms each row of `signals` (complex64) in place, not scaled.");
  nb::class_<Reconstructor>(m, "Reconstructor", "All that does not change from slice to slice, with working memory.")
      .def(nb::init<Line, Line, int, int, Pair, Pair, Point, bool, std::string>(), "theta"_a, "weights"_a, "columns"_a,
           "padded"_a, "picture"_a, "grid"_a, "centre"_a, "edge"_a, "instructions"_a = "",
           "Of pictures (wide, tall) whose pixel (wide // 2, tall // 2) lies at `centre` from the rotation axis.")
      .def("reconstruct", &Reconstructor::reconstruct, "projections"_a.noconvert(), "response"_a.noconvert(),
           "axes"_a.noconvert(), "out"_a.noconvert(), "threads"_a, "grids"_a = 1,
           "Writes the slices, float32 (rows, tall, wide), into `out`; `projections` are float32 (angles, rows, columns). "
           "On several grids, if there are vectors of slices for them, threads need not wait for each other.")
      .def_prop_ro("working_bytes", &Reconstructor::working_bytes)
      .def_prop_ro("lanes", &Reconstructor::lanes)
      .def_prop_ro("instructions", &Reconstructor::instructions);
}

}  // namespace stp3
