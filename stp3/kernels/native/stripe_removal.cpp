#include <algorithm>
#include <atomic>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "instructions.hpp"
#include "stripes.hpp"

namespace stp3 {

STP3_FOR_EACH_INSTRUCTION_SET(
    void remove_from_row(const StripeTask& task, StripeRoom& room, int row, Team& team, int member))
STP3_FOR_EACH_INSTRUCTION_SET(std::size_t key_bytes(int angles))
STP3_FOR_EACH_INSTRUCTION_SET(std::size_t median_bytes(int size))
STP3_FOR_EACH_INSTRUCTION_SET(int lanes())

namespace {

constexpr double kTrimmed = 0.05;  // share of the darkest and of the brightest values that detection leaves out
constexpr int kSpare = 128;        // columns that a tile of medians may read beyond the last window

class Shelf {  // hands out memory line by line, or only adds it up
 public:
  explicit Shelf(char* start) : start_(std::uintptr_t(start)) {}
  template <class T>
  T* take(std::size_t count) {
    T* const at = reinterpret_cast<T*>(start_ + bytes_);
    bytes_ += (count * sizeof(T) + 63) / 64 * 64;
    return at;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::uintptr_t start_;
  std::size_t bytes_ = 0;
};

// The room of a team; `bytes` becomes its size.
StripeRoom lay_out(const StripeTask& task, char* start, int members, [[maybe_unused]] const std::string& set, std::size_t& bytes) {
  const std::size_t lanes = STP3_DISPATCH(set, lanes()), angles = task.angles;
  const std::size_t groups = (task.columns + lanes - 1) / lanes, columns = groups * lanes;
  const std::size_t ranks = (angles + lanes - 1) / lanes * lanes, size = std::max(task.size_large, task.size_small);
  const bool sorts = !task.weights && (task.large || task.size_small > 1);
  StripeRoom room{};
  Shelf shelf(start);
  room.values = shelf.take<float>(sorts ? ranks * columns : 0);
  room.order = shelf.take<std::uint32_t>(sorts ? angles * columns : 0);
  room.picked = shelf.take<float>(task.large ? kQuantiles * columns : 0);
  room.factors = shelf.take<double>(task.weights ? task.components * columns : 0);
  room.levels = shelf.take<double>(columns);
  room.before = shelf.take<int>(columns);
  room.after = shelf.take<int>(columns);
  room.weight = shelf.take<float>(columns);
  room.found = shelf.take<std::uint8_t>(columns);
  Shelf own(nullptr);
  room.strip = own.bytes(), own.take<float>(angles * lanes);
  room.keys = own.bytes(), own.take<char>(sorts ? STP3_DISPATCH(set, key_bytes(task.angles)) : 0);
  room.padded = own.bytes(), own.take<float>(std::max(columns + size + kSpare, 2 * std::size_t(task.components)) * lanes);
  room.medians = own.bytes(), own.take<char>(STP3_DISPATCH(set, median_bytes(int(size))));
  room.own_bytes = own.bytes();
  room.own = shelf.take<char>(members * room.own_bytes);
  bytes = shelf.bytes();
  return room;
}

void choose_quantiles(const StripeTask& task, StripeRoom& room) {
  const int trim = int(kTrimmed * task.angles), last = task.angles - 1 - trim, count = std::min(kQuantiles, task.angles);
  for (int i = 0; i < count; i++) {
    const double step = count > 1 ? double(last - trim) / (count - 1) : 0;
    const int rank = i == count - 1 && count > 1 ? last : int(trim + i * step);
    if (!room.quantiles || room.ranks[room.quantiles - 1] != rank) room.ranks[room.quantiles++] = rank;
  }
}

// `count` threads that each do work(member); fewer when no more are to be had. Returns when all are done.
template <class Start, class Work>
void run_members(int count, Start&& start, Work&& work) {
  std::vector<std::thread> others;
  std::atomic<bool> complete{false};
  const auto wait_and_work = [&](int member) {
    while (!complete.load(std::memory_order_acquire)) std::this_thread::yield();
    work(member);
  };
  try {
    for (int member = 1; member < count; member++) others.emplace_back(wait_and_work, member);
  } catch (const std::system_error&) {
  }
  start(int(others.size()) + 1);
  complete.store(true, std::memory_order_release);
  work(0);
  for (std::thread& other : others) other.join();
}

}  // namespace

std::size_t stripe_bytes(const StripeTask& task, int threads, const std::string& set) {
  std::size_t alone, together;
  lay_out(task, nullptr, 1, set, alone);
  lay_out(task, nullptr, threads, set, together);
  return std::max(together, std::min(threads, task.rows) * alone);
}

void remove_stripes(const StripeTask& task, void* memory, int threads, [[maybe_unused]] const std::string& set) {
  const int alone = threads > 1 ? task.rows / threads * threads : 0;  // rows that keep every thread busy on its own
  std::size_t bytes;
  lay_out(task, nullptr, 1, set, bytes);
  std::atomic<int> next{0};
  if (alone)
    run_members(threads, [](int) {}, [&](int member) {
      StripeRoom room = lay_out(task, static_cast<char*>(memory) + member * bytes, 1, set, bytes);
      choose_quantiles(task, room);
      Team team(1);
      for (int row = next.fetch_add(1); row < alone; row = next.fetch_add(1))
        STP3_DISPATCH(set, remove_from_row(task, room, row, team, 0));
    });
  if (alone == task.rows) return;
  std::size_t together;
  StripeRoom room = lay_out(task, static_cast<char*>(memory), threads, set, together);
  choose_quantiles(task, room);
  std::unique_ptr<Team> team;
  run_members(threads, [&](int members) { team = std::make_unique<Team>(members); }, [&](int member) {
    for (int row = alone; row < task.rows; row++) STP3_DISPATCH(set, remove_from_row(task, room, row, *team, member));
  });
}

}  // namespace stp3
