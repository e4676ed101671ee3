#include <climits>

#include "binding.hpp"
#include "warp.hpp"

namespace stp3 {
namespace {

using Frames = nb::ndarray<const float, nb::ndim<3>, nb::device::cpu>;
using Result = nb::ndarray<float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Places = nb::ndarray<const int, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Weights = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void require_within(const Places& places, int most, const char* name) {
  for (std::size_t i = 0; i < places.size(); i++) {
    const int place = places.data()[i];
    require(place >= 0 && place <= most, std::string(name) + " must be between 0 and " + std::to_string(most), place);
  }
}

template <class Map>
void require_frame(const Map& map, const Frames& frames, const char* name) {
  require_length(map.shape(0), frames.shape(1), name, "a row");
  require_length(map.shape(1), frames.shape(2), name, "a column");
}

void warp_frames(const Frames& frames, const Result& out, const Places& rows, const Places& columns, const Weights& down,
                 const Weights& across, const std::string& instructions) {
  for (int axis = 0; axis < 3; axis++) {
    require(frames.shape(axis) >= 1 && frames.shape(axis) <= INT_MAX / 2, "frames must have 1 to 1073741823 values along each axis", double(frames.shape(axis)));
    require_length(out.shape(axis), frames.shape(axis), "out", "of the frames along each axis");
  }
  require(frames.stride(2) == 1 || frames.shape(2) == 1, "the columns of frames must lie side by side: stride 1", double(frames.stride(2)));
  const double far = std::fabs(double(frames.stride(1))) * double(frames.shape(1));
  require(far <= INT_MAX / 2, "rows times their stride must be at most 1073741823", far);
  const int height = int(frames.shape(1)), width = int(frames.shape(2));
  require_frame(rows, frames, "rows"), require_frame(columns, frames, "columns");
  require_frame(down, frames, "down"), require_frame(across, frames, "across");
  require_within(rows, height > 1 ? height - 2 : 0, "rows");
  require_within(columns, width > 1 ? width - 2 : 0, "columns");
  const WarpPass pass{frames.data(), frames.stride(0), frames.stride(1), int(frames.shape(0)), height, width, out.data(),
                      out.stride(0), out.stride(1), rows.data(), columns.data(), down.data(), across.data()};
  const std::string set = chosen_instructions(instructions);
  nb::gil_scoped_release others_may_run;
  STP3_DISPATCH(set, warp(pass));
}

}  // namespace

void add_warp(nb::module_& m) {
  m.def("warp", &warp_frames, "frames"_a.noconvert(), "out"_a.noconvert(), "rows"_a.noconvert(), "columns"_a.noconvert(),
        "down"_a.noconvert(), "across"_a.noconvert(), "instructions"_a = "",
        "Reads each frame at other places, straight between four neighbours.");
}

}  // namespace stp3
