#include <algorithm>
#include <atomic>
#include <cmath>
#include <system_error>
#include <thread>
#include <vector>

#include "counts.hpp"
#include "instructions.hpp"
#include "memory.hpp"

namespace stp3 {

STP3_FOR_EACH_INSTRUCTION_SET(std::size_t counts_room(const CountsPass& pass))
STP3_FOR_EACH_INSTRUCTION_SET(void run_counts(const CountsPass& pass, int first, int count, float* room))

void run(const CountsPass& pass, int threads, const std::string& instructions) {
  const std::string set = chosen_instructions(instructions);
  const int turns = (pass.angles + kProjectionsTogether - 1) / kProjectionsTogether;
  threads = std::min(threads, turns);
  const std::size_t room = STP3_DISPATCH(set, counts_room(pass));
  const Pages pages(std::max<std::size_t>(1, sizeof(float) * room * threads));
  std::atomic<int> next{0};
  const auto work = [&](int member) {
    for (int turn = next++; turn < turns; turn = next++) {
      const int first = turn * kProjectionsTogether, count = std::min(kProjectionsTogether, pass.angles - first);
      STP3_DISPATCH(set, run_counts(pass, first, count, pages.as<float>() + room * member));
    }
  };
  std::vector<std::thread> others;
  try {
    for (int member = 1; member < threads; member++) others.emplace_back(work, member);
  } catch (const std::system_error&) {  // no more threads to be had: those that came do the work
  }
  work(0);
  for (std::thread& other : others) other.join();
}

}  // namespace stp3
