// Stripes of sinograms, removed by sorting (Vo, Atwood and Drakopoulos, Opt. Express 26:28396, 2018).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "team.hpp"

namespace stp3 {

constexpr int kMaxStripeColumns = 1 << 16, kMaxStripeAngles = 1 << 17, kMaxStripeWindow = 1023, kMaxComponents = 1024;

// Sinograms, the floats from one angle and one row to the next, and what to remove. `out` may be `in`.
struct StripeTask {
  const float* in;
  std::ptrdiff_t in_angle, in_row;
  float* out;
  std::ptrdiff_t out_angle, out_row;
  int angles, rows, columns;
  bool dead, large;
  double snr;
  int size_large, size_small;  // median windows: odd, no wider than there are columns; a small one of 1 does nothing
  // A part of the variation along the angles, as sums over `components`: analysis[angle][component] gives the factors,
  // synthesis[angle][component] what they stand for. Only this part is sorted. None: null, 0.
  const double *analysis, *synthesis;
  int components;
  // When there are weights[reach + 1], that part is not sorted but smoothed over 2 reach + 1 columns.
  const double* weights;
  int reach;
};

constexpr int kQuantiles = 64;

// Working memory of the threads that share a row. Sorted values stand as [rank / lanes][column][rank % lanes], all else
// of columns as [column / lanes][...][column % lanes].
struct StripeRoom {
  float* values;
  std::uint32_t* order;  // [column / lanes][rank][column % lanes]: the angle each value came from
  float* picked;         // as `values`, of some ranks
  double* factors;       // [column / lanes][component][column % lanes]
  double* levels;        // of each column: how much it varies or stands out
  int *before, *after;   // the columns a dead one is drawn between; -1 for others
  float* weight;         // of `after`
  std::uint8_t* found;
  int ranks[kQuantiles], quantiles;
  bool any_large;
  char* own;  // of each member:
  std::size_t own_bytes, strip, keys, padded, medians;
};

// Bytes of working memory for so many threads.
std::size_t stripe_bytes(const StripeTask& task, int threads, const std::string& instructions);

// Removes the stripes; `memory` has stripe_bytes() and begins a cache line.
void remove_stripes(const StripeTask& task, void* memory, int threads, const std::string& instructions);

// Finds in room.levels what varies too little or too much and writes found, before, after, weight.
void find_dead(const StripeTask& task, StripeRoom& room);
// Finds in room.levels what stands out abruptly and writes found, any_large.
void find_large(const StripeTask& task, StripeRoom& room);

// The place inside 0 ... count - 1 that a mirror at both ends shows at `place`.
static inline int mirrored(int place, int count) {
  const int turn = 2 * count;
  place %= turn;
  if (place < 0) place += turn;
  return place < count ? place : turn - 1 - place;
}

}  // namespace stp3
