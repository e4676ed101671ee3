#include <limits>
#include <thread>

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

}  // namespace

void add_grey(nb::module_& m) {
  const char* const about = "Writes (slices - low) * scale, rounded and clipped, into `out`.";
  m.def("to_grey", &convert<unsigned char>, "slices"_a.noconvert(), "low"_a, "scale"_a, "out"_a.noconvert(), "threads"_a,
        "instructions"_a = "", about);
  m.def("to_grey", &convert<unsigned short>, "slices"_a.noconvert(), "low"_a, "scale"_a, "out"_a.noconvert(), "threads"_a,
        "instructions"_a = "", about);
}

}  // namespace stp3
