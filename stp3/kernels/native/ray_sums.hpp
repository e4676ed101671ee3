// Samples along a ray, added to the cells under their windows. A window moves by less than a cell from one sample to the
// next: its cells stay in registers, and only those that it leaves and enters are stored and loaded.
#pragma once

#include "lanes.hpp"
#include "plan.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

// What each sample adds, and where. The weights of row v and column u stand at v % 4 and u % 4, as their cells do in the
// registers: a window that moves on leaves all others where they are.
struct RaySamples {
  static constexpr int kMost = kBins;
  int row[kMost], column[kMost];
  alignas(64) float across[kMost][kWidth], down[kMost][kWidth];
};
static_assert(kWidth == 4, "a window's cells are counted modulo 4 below");

#define STP3_INLINE __attribute__((always_inline)) inline  // or the sums would not stay in registers

// The sums of one window. A plane is the real or the imaginary part of the grid, one vector a cell, cells two vectors
// apart; so are `values`.
template <class V>
class RaySums {
 public:
  STP3_INLINE RaySums(V* plane, std::size_t width, int row, int column) : line_step_(2 * width) { place(plane, row, column), load(); }

  STP3_INLINE void move(V* plane, int row, int column) {
    const int across = column - column_, down = row - row_;
    if (across < -1 || across > 1 || down < 0 || down > 1) {
      store();
      place(plane, row, column);
      load();
      return;
    }
    if (across) {
      const int leaves = across > 0 ? column_ : column_ + 3, enters = across > 0 ? column_ + 4 : column_ - 1;
      switch (leaves & 3) {
        case 0: move_column<0>(leaves, enters); break;
        case 1: move_column<1>(leaves, enters); break;
        case 2: move_column<2>(leaves, enters); break;
        default: move_column<3>(leaves, enters);
      }
      column_ = column;
    }
    if (down) {
      switch (row_ & 3) {
        case 0: move_row<0>(); break;
        case 1: move_row<1>(); break;
        case 2: move_row<2>(); break;
        default: move_row<3>();
      }
      row_ = row;
    }
  }

  STP3_INLINE void add(V value, const float* across, const float* down) {
    V w[kWidth];
#pragma GCC unroll 4
    for (int c = 0; c < kWidth; c++) w[c] = splat<V>(across[c]);
#pragma GCC unroll 4
    for (int r = 0; r < kWidth; r++) {
      const V part = value * splat<V>(down[r]);
#pragma GCC unroll 4
      for (int c = 0; c < kWidth; c++) sums_[r][c] = mul_add(part, w[c], sums_[r][c]);
    }
  }

  STP3_INLINE void store() {
#pragma GCC unroll 4
    for (int r = 0; r < kWidth; r++)
#pragma GCC unroll 4
      for (int c = 0; c < kWidth; c++) lines_[r][cell(c)] = sums_[r][c];
  }

 private:
  STP3_INLINE void place(V* plane, int row, int column) {
    row_ = row;
    column_ = column;
#pragma GCC unroll 4
    for (int r = 0; r < kWidth; r++) lines_[r] = plane + line_step_ * (row + ((r - row) & 3));
  }

  STP3_INLINE void load() {
#pragma GCC unroll 4
    for (int r = 0; r < kWidth; r++)
#pragma GCC unroll 4
      for (int c = 0; c < kWidth; c++) sums_[r][c] = lines_[r][cell(c)];
  }

  // Where the column kept at place c lies, in vectors from the start of its line.
  STP3_INLINE std::ptrdiff_t cell(int c) const { return 2 * std::ptrdiff_t(column_ + ((c - column_) & 3)); }

  template <int c>
  STP3_INLINE void move_column(int leaves, int enters) {
#pragma GCC unroll 4
    for (int r = 0; r < kWidth; r++) {
      lines_[r][2 * std::ptrdiff_t(leaves)] = sums_[r][c];
      sums_[r][c] = lines_[r][2 * std::ptrdiff_t(enters)];
    }
  }

  template <int r>
  STP3_INLINE void move_row() {
    V* const next = lines_[r] + kWidth * line_step_;
#pragma GCC unroll 4
    for (int c = 0; c < kWidth; c++) {
      lines_[r][cell(c)] = sums_[r][c];
      sums_[r][c] = next[cell(c)];
    }
    lines_[r] = next;
  }

  const std::size_t line_step_;
  int row_, column_;
  V* lines_[kWidth];
  V sums_[kWidth][kWidth];
};

// Four weights, the first of them at place `start` modulo 4.
inline void rotate(const float* weights, int start, float* out) {
#if defined(__AVX__)
  alignas(16) static const int sources[4][4] = {{0, 1, 2, 3}, {3, 0, 1, 2}, {2, 3, 0, 1}, {1, 2, 3, 0}};
  const __m128i order = *reinterpret_cast<const __m128i*>(sources[start & 3]);
  _mm_store_ps(out, _mm_permutevar_ps(_mm_loadu_ps(weights), order));
#else
  for (int j = 0; j < 4; j++) out[(start + j) & 3] = weights[j];
#endif
}

// `ahead(i)` is called before sample i is added.
template <class V, class Ahead>
__attribute__((noinline)) void add_ray(const RaySamples& samples, int count, const V* values, V* plane, std::size_t width,
                                       const Ahead& ahead) {
  RaySums<V> sums(plane, width, samples.row[0], samples.column[0]);
  for (int i = 0; i < count; i++) {
    if (i && (samples.row[i] != samples.row[i - 1] || samples.column[i] != samples.column[i - 1]))
      sums.move(plane, samples.row[i], samples.column[i]);
    ahead(i);
    sums.add(values[2 * i], samples.across[i], samples.down[i]);
  }
  sums.store();
}

#undef STP3_INLINE

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
