#include <atomic>
#include <climits>
#include <system_error>
#include <thread>

#include "binding.hpp"
#include "projection_filter.hpp"

namespace stp3 {
namespace {

using Projections = nb::ndarray<const float, nb::ndim<3>, nb::device::cpu>;
using Result = nb::ndarray<float, nb::ndim<3>, nb::device::cpu>;
using Taps = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Lengths = nb::ndarray<const int, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Room = nb::ndarray<float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr int kMostColumns = 1 << 16, kMostReach = 1 << 15;

void check_kernels(int columns, int padded, const Taps& taps, const Lengths& lengths) {
  require(padded >= 2 && padded <= 4 * kMostColumns && padded % 2 == 0 && is_smooth(padded / 2),
          "padded must be even, with no factors but 2, 3 and 5", padded);
  require(columns >= 1 && columns <= padded, "projections must have 1 to " + std::to_string(padded) + " columns", columns);
  const std::size_t frequencies = (padded / 2 + kMostLanes) / kMostLanes * kMostLanes;
  require_length(taps.shape(1), frequencies, "taps, axis 1,", "a frequency, filled up to whole vectors");
  require_length(lengths.size(), padded / 2 + 1, "lengths", "a frequency");
  require(taps.shape(0) >= 1 && taps.shape(0) <= kMostReach, "taps must reach over 0 to " + std::to_string(kMostReach - 1) + " rows", double(taps.shape(0)) - 1);
  for (std::size_t k = 0; k < lengths.size(); k++)
    require(lengths.data()[k] >= 1 && lengths.data()[k] <= int(taps.shape(0)),
            "lengths[" + std::to_string(k) + "] must be between 1 and " + std::to_string(taps.shape(0)), lengths.data()[k]);
}

void check_rows(const Projections& projections, const Result& out, int first) {
  for (int axis = 0; axis < 3; axis++)
    require(projections.shape(axis) >= 1 && projections.shape(axis) <= INT_MAX / 4, "projections must have at least one value along each axis", double(projections.shape(axis)));
  require_length(out.shape(0), projections.shape(0), "out, axis 0,", "an angle");
  require_length(out.shape(2), projections.shape(2), "out, axis 2,", "a column");
  const int rows = int(projections.shape(1));
  require(first >= 0 && first < rows, "first must be between 0 and " + std::to_string(rows - 1), first);
  require(out.shape(1) >= 1 && first + int(out.shape(1)) <= rows, "out must hold 1 to " + std::to_string(rows - first) + " rows", double(out.shape(1)));
  require(projections.shape(2) == 1 || projections.stride(2) == 1, "the columns of projections must lie side by side: stride 1", double(projections.stride(2)));
  require(out.shape(2) == 1 || out.stride(2) == 1, "the columns of out must lie side by side: stride 1", double(out.stride(2)));
}

std::size_t room_of(const ProjectionFilter& filter, const std::string& set) { return STP3_DISPATCH(set, filter_room(filter)); }

void run(const ProjectionFilter& filter, const Room& room, const std::string& set) {
  const int batches = STP3_DISPATCH(set, filter_batches(filter));
  std::atomic<int> next{0};
  const auto work = [&](std::size_t member) {
    for (int batch = next++; batch < batches; batch = next++)
      STP3_DISPATCH(set, filter_batch(filter, batch, room.data() + member * room.shape(1)));
  };
  std::vector<std::thread> others;
  try {
    for (std::size_t member = 1; member < room.shape(0) && int(member) < batches; member++) others.emplace_back(work, member);
  } catch (const std::system_error&) {  // no more threads to be had: those that came do the work
  }
  work(0);
  for (std::thread& other : others) other.join();
}

void filter_projections(const Projections& projections, int first, const Result& out, int padded, const Taps& taps, const Lengths& lengths,
                        const Room& room, const std::string& instructions) {
  const std::string set = chosen_instructions(instructions);
  check_rows(projections, out, first);
  check_kernels(int(projections.shape(2)), padded, taps, lengths);
  require(room.shape(0) >= 1 && room.shape(0) <= std::size_t(kMaxThreads), "room must serve 1 to " + std::to_string(kMaxThreads) + " threads", double(room.shape(0)));
  require(reinterpret_cast<std::size_t>(room.data()) % 64 == 0 && (room.shape(0) == 1 || room.shape(1) % 16 == 0), "room must begin a cache line for each thread", double(room.shape(1)));
  const RealFftPlan plan(padded);
  const ProjectionFilter filter{projections.data(), projections.stride(0), projections.stride(1), int(projections.shape(0)), int(projections.shape(1)),
                                int(projections.shape(2)), out.data(), out.stride(0), out.stride(1), first, first + int(out.shape(1)),
                                taps.data(), taps.shape(1), lengths.data(), int(taps.shape(0)) - 1, &plan};
  const std::size_t wanted = room_of(filter, set);
  require(room.shape(1) >= wanted, "room must have " + std::to_string(wanted) + " floats for each thread", double(room.shape(1)));
  nb::gil_scoped_release others_may_run;
  run(filter, room, set);
}

std::size_t filter_room_floats(int angles, int rows, int padded, int reach, const std::string& instructions) {
  require(angles >= 1, "angles must be at least 1", angles);
  require(rows >= 1 && rows <= INT_MAX / 4, "rows must be at least 1", rows);
  require(padded >= 2 && padded <= 4 * kMostColumns && padded % 2 == 0 && is_smooth(padded / 2), "padded must be even, with no factors but 2, 3 and 5", padded);
  require(reach >= 0 && reach < kMostReach, "reach must be between 0 and " + std::to_string(kMostReach - 1), reach);
  const RealFftPlan plan(padded);
  ProjectionFilter filter{};
  filter.angles = angles, filter.rows = rows, filter.reach = reach, filter.plan = &plan;
  return (room_of(filter, chosen_instructions(instructions)) + 15) / 16 * 16;
}

}  // namespace

void add_projection_filter(nb::module_& m) {
  m.def("filter_room", &filter_room_floats, "angles"_a, "rows"_a, "padded"_a, "reach"_a, "instructions"_a = "",
        "Floats of working memory that `filter_projections` needs for each thread.");
  m.def("filter_projections", &filter_projections, "projections"_a.noconvert(), "first"_a, "out"_a.noconvert(), "padded"_a,
        "taps"_a.noconvert(), "lengths"_a.noconvert(), "room"_a.noconvert(), "instructions"_a = "",
        "Writes the filtered rows from `first` on into `out`; one thread for each row of `room`.");
}

}  // namespace stp3
