#include "gridder.hpp"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <system_error>
#include <thread>

#include "instructions.hpp"
#include "memory.hpp"

namespace stp3 {

STP3_FOR_EACH_INSTRUCTION_SET(Gridder* make_gridder(const GriddingPlan& plan))

std::unique_ptr<Gridder> make_gridder(const GriddingPlan& plan, const std::string& instructions) {
  const std::string set = chosen_instructions(instructions);
  return std::unique_ptr<Gridder>(STP3_DISPATCH(set, make_gridder(plan)));
}

int Team::take() { return next_.fetch_add(1, std::memory_order_relaxed); }

void Team::meet() {
  const int round = round_.load(std::memory_order_acquire);
  if (waiting_.fetch_add(1, std::memory_order_acq_rel) == members_ - 1) {
    waiting_.store(0, std::memory_order_relaxed);
    next_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
    return;
  }
  for (int tries = 0; round_.load(std::memory_order_acquire) == round; tries++)
    if (tries > 2000) sched_yield();
}

void reconstruct(Gridder& gridder, const Batch& batch, int threads) {
  const int lanes = gridder.lanes();
  // a vector that is less than half full takes longer than its slices one by one
  const int rest = batch.slices % lanes, together = rest > lanes / 2 ? batch.slices : batch.slices - rest;
  gridder.make_room(threads, together < batch.slices, together > 0);
  std::vector<std::thread> others;
  std::unique_ptr<Team> team;
  std::atomic<bool> complete{false};
  const auto work = [&](int member) {
    while (!complete.load(std::memory_order_acquire)) sched_yield();
    for (int first = 0; first < together; first += lanes) gridder.many(batch, first, *team, member);
    for (int slice = together; slice < batch.slices; slice++) gridder.one(batch, slice, *team, member);
  };
  try {
    for (int member = 1; member < threads; member++) others.emplace_back(work, member);
  } catch (const std::system_error&) {  // no more threads to be had: those that came do the work
  }
  team = std::make_unique<Team>(int(others.size()) + 1);
  complete.store(true, std::memory_order_release);
  work(0);
  for (std::thread& other : others) other.join();
}

Pages::Pages(std::size_t bytes) {
  constexpr std::size_t huge = std::size_t(1) << 21;
  bytes_ = bytes < huge ? (bytes + 4095) / 4096 * 4096 : (bytes + huge - 1) / huge * huge;
  data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data_ == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  madvise(data_, bytes_, MADV_HUGEPAGE);
#endif
}

Pages::~Pages() { munmap(data_, bytes_); }

}  // namespace stp3
