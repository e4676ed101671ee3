// Medians over sliding windows, of as many signals as a vector has lanes.
//
// Windows at `tile` neighbouring places have most of their values in common. These are sorted once, and of them only
// those kept that can be a median; then the places are halved again and again, and each half adds the values that its
// windows have in common (the idea in two dimensions: Adams, ACM Trans. Graph. 40:70, 2021).
#pragma once

#include "sorting.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

constexpr int kMostTile = 128;

// Vectors of working memory that medians over `size` values need.
inline std::size_t median_room(int size) { return sorting_room(size) + 18 * kMostTile; }

template <int size, class V>
inline void sort_bitonic_fixed(V* x) {
  if constexpr (size <= int(kTuple)) {
    order_levels<size, size / 2>(x);
  } else {
    sort_bitonic(x, size, size);
  }
}

// The middle third of `twice` (2 count values, ascending) and `once` (count values, ascending) together, ascending.
template <int count, class V>
inline void keep_middle(const V* twice, const V* once, V* out) {
  V low[count];
#pragma GCC unroll 16
  for (int i = 0; i < count; i++) low[i] = lower(twice[count + i], once[count - 1 - i]);
  sort_bitonic_fixed<count>(low);
  V middle[count];
#pragma GCC unroll 16
  for (int i = 0; i < count; i++) middle[i] = higher(twice[i], low[count - 1 - i]);
  sort_bitonic_fixed<count>(middle);
#pragma GCC unroll 16
  for (int i = 0; i < count; i++) out[i] = middle[i];
}

// Medians at `tile` neighbouring places over windows of `size` values: a power of two, at most size / 2 + 1.
template <int tile>
class MedianTile {
 public:
  MedianTile(int size, Floats* room) : size_(size), left_(room), right_(left_ + 8 * tile), core_(right_ + 8 * tile) {}

  // `from` begins with the first window.
  void run(const Floats* from, Floats* out) {
    const int common = size_ - tile + 1;
    for (int i = 0; i < common; i++) core_[i] = from[tile - 1 + i];
    sort_ascending(core_, common, splat<Floats>(__builtin_inff()));
    for (int i = 1; i < tile; i++) left_[i] = from[i - 1], right_[i - 1] = from[size_ + i - 1];
    if constexpr (tile > 1) left_[0] = left_[1], right_[tile - 1] = right_[tile - 2];
    sort_runs<1>();
    descend<tile>(core_ + size_ / 2 + 1 - tile, 0, out);
  }

 private:
  // What is added on the left and on the right in ascending runs of each length that is needed, one level a length.
  template <int run>
  void sort_runs() {
    if constexpr (2 * run < tile) {
      constexpr int level = log2(run) + 1, twice = 2 * run;
      const Floats *left = left_ + (level - 1) * tile, *right = right_ + (level - 1) * tile;
      Floats *sorted_left = left_ + level * tile, *sorted_right = right_ + level * tile;
      for (int at = twice; at < tile; at += twice) join<twice>(left + at, sorted_left + at);
      for (int at = 0; at < tile - twice; at += twice) join<twice>(right + at, sorted_right + at);
      sort_runs<twice>();
    }
  }

  template <int run>
  static void join(const Floats* halves, Floats* out) {
    if constexpr (run <= int(kTuple)) {
      Floats e[run];
#pragma GCC unroll 16
      for (int i = 0; i < run; i++) e[i] = halves[i];
      merge_registers<run>(e);
#pragma GCC unroll 16
      for (int i = 0; i < run; i++) out[i] = e[i];
    } else {
      for (int i = 0; i < run; i++) out[i] = halves[i];
      merge_halves(out, run, run);
    }
  }

  // The medians at `places` places from `first`, of whose windows the common candidates are given.
  template <int places>
  void descend(const Floats* candidates, int first, Floats* out) {
    if constexpr (places == 1) {
      out[first] = candidates[0];
    } else {
      constexpr int half = places / 2, level = log2(half);
      Floats kept[half];
      keep_middle<half>(candidates, left_ + level * tile + first + half, kept);
      descend<half>(kept, first, out);
      keep_middle<half>(candidates, right_ + level * tile + first, kept);
      descend<half>(kept, first + half, out);
    }
  }

  static constexpr int log2(int n) { return n > 1 ? 1 + log2(n / 2) : 0; }

  const int size_;
  Floats *const left_, *const right_, *const core_;
};

// Medians of the windows that begin at first ... last - 1 of `from`, which has room for kMostTile values behind those
// of the last window; out[0] is the first.
template <int tile>
void medians_by_tiles(const Floats* from, int size, int first, int last, Floats* out, Floats* room) {
  MedianTile<tile> some(size, room);
  for (int place = first; place < last; place += tile) {
    Floats medians[tile];
    some.run(from + place, medians);
    const int count = last - place < tile ? last - place : tile;
    for (int i = 0; i < count; i++) out[place - first + i] = medians[i];
  }
}

inline void sliding_medians(const Floats* from, int size, int first, int last, Floats* out, Floats* room) {
  switch (int half = size / 2; half) {
    case 0: medians_by_tiles<1>(from, size, first, last, out, room); break;
    case 1: case 2: medians_by_tiles<2>(from, size, first, last, out, room); break;
    case 3: case 4: case 5: case 6: medians_by_tiles<4>(from, size, first, last, out, room); break;
    default:
      if (half < 15) medians_by_tiles<8>(from, size, first, last, out, room);
      else if (half < 31) medians_by_tiles<16>(from, size, first, last, out, room);
      else if (half < 63) medians_by_tiles<32>(from, size, first, last, out, room);
      else if (half < 127) medians_by_tiles<64>(from, size, first, last, out, room);
      else medians_by_tiles<128>(from, size, first, last, out, room);
  }
}

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
