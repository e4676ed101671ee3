#include "gridder.hpp"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
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
  // The others are a moment behind, as a rule; where they lost their processor, somebody needs this one.
  for (int tries = 0; round_.load(std::memory_order_acquire) == round; tries++)
    if (tries > 20000) std::this_thread::sleep_for(std::chrono::microseconds(50));
}

void reconstruct(Gridder& gridder, const Batch& batch, int threads, int grids) {
  const int lanes = gridder.lanes();
  // a vector that is less than half full takes longer than its slices one by one
  const int rest = batch.slices % lanes, together = rest > lanes / 2 ? batch.slices : batch.slices - rest;
  const int vectors = (together + lanes - 1) / lanes, most = std::max(1, std::min({grids, threads, vectors, kMostGrids}));
  const int in_team = (threads + most - 1) / most;
  gridder.make_room(threads, together < batch.slices, vectors ? (threads + in_team - 1) / in_team : 0, in_team);
  std::vector<std::thread> others;
  std::unique_ptr<Team> all;
  std::vector<std::unique_ptr<Team>> teams;
  std::atomic<bool> complete{false};
  const auto work = [&](int member) {
    while (!complete.load(std::memory_order_acquire)) sched_yield();
    const int team = member / in_team, count = int(teams.size()), apart = vectors - vectors % count;
    for (int vector = team; vector < apart; vector += count) gridder.many(team, batch, vector * lanes, *teams[team], member % in_team);
    all->each(0, [](int) {});
    for (int vector = apart; vector < vectors; vector++) gridder.many(0, batch, vector * lanes, *all, member);
    for (int slice = together; slice < batch.slices; slice++) gridder.one(batch, slice, *all, member);
  };
  try {
    for (int member = 1; member < threads; member++) others.emplace_back(work, member);
  } catch (const std::system_error&) {  // no more threads to be had: those that came do the work
  }
  const int came = int(others.size()) + 1;
  all = std::make_unique<Team>(came);
  for (int first = 0; first < came; first += in_team) teams.push_back(std::make_unique<Team>(std::min(in_team, came - first)));
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
