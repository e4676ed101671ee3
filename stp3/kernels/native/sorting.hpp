// Sorting networks over vectors: every lane is sorted by itself, by the same comparisons whatever its values.
// Bitonic merges (Batcher, AFIPS Conf. Proc. 32:307, 1968), several levels of them for each time in the registers.
#pragma once

#include "lanes.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

typedef Lanes<STP3_LANES>::vector Floats;
typedef double Doubles __attribute__((vector_size(4 * STP3_LANES)));

#if STP3_LANES == 16 && defined(__AVX512F__)
inline Floats lower(Floats a, Floats b) { return _mm512_min_ps(a, b); }
inline Floats higher(Floats a, Floats b) { return _mm512_max_ps(a, b); }
inline Doubles lower(Doubles a, Doubles b) { return _mm512_min_pd(a, b); }
inline Doubles higher(Doubles a, Doubles b) { return _mm512_max_pd(a, b); }
#elif STP3_LANES == 8 && defined(__AVX__)
inline Floats lower(Floats a, Floats b) { return _mm256_min_ps(a, b); }
inline Floats higher(Floats a, Floats b) { return _mm256_max_ps(a, b); }
inline Doubles lower(Doubles a, Doubles b) { return _mm256_min_pd(a, b); }
inline Doubles higher(Doubles a, Doubles b) { return _mm256_max_pd(a, b); }
#elif STP3_LANES == 4 && defined(__SSE2__)
inline Floats lower(Floats a, Floats b) { return _mm_min_ps(a, b); }
inline Floats higher(Floats a, Floats b) { return _mm_max_ps(a, b); }
inline Doubles lower(Doubles a, Doubles b) { return _mm_min_pd(a, b); }
inline Doubles higher(Doubles a, Doubles b) { return _mm_max_pd(a, b); }
#else
template <class V>
inline V lower(V a, V b) { return a < b ? a : b; }
template <class V>
inline V higher(V a, V b) { return a < b ? b : a; }
#endif

constexpr int kLevels = STP3_LANES == 16 ? 4 : 3;  // as many as the registers hold
constexpr std::size_t kTuple = 1 << kLevels, kNearBytes = 1 << 14;

template <class V>
inline void order(V& a, V& b) {
  const V low = lower(a, b);
  b = higher(a, b);
  a = low;
}

// The levels of a merge from distance `distance` down, of values in registers.
template <int count, int distance, class V>
inline void order_levels(V* e) {
  if constexpr (distance > 0) {
#pragma GCC unroll 16
    for (int j = 0; j < count; j++)
      if (!(j & distance)) order(e[j], e[j + distance]);
    order_levels<count, distance / 2>(e);
  }
}

template <int count, class V>
inline void merge_registers(V* e) {  // two ascending halves
#pragma GCC unroll 16
  for (int j = 0; j < count / 2; j++) order(e[j], e[count - 1 - j]);
  order_levels<count, count / 4>(e);
}

template <int count, class V>
inline void sort_registers(V* e) {
  if constexpr (count > 1) {
    sort_registers<count / 2>(e);
    sort_registers<count / 2>(e + count / 2);
    merge_registers<count>(e);
  }
}

// `levels` levels of merges in each block of `size` that begins before `count`: the first level compares a block's
// halves, one of them backwards when `mirrored`.
template <int levels, bool mirrored, class V>
inline void merge_pass(V* x, std::size_t size, std::size_t count) {
  constexpr int tuple = 1 << levels;
  const std::size_t step = size / tuple;
  for (std::size_t block = 0; block < count; block += size)
    for (std::size_t i = 0; i < step; i++) {
      V *low = x + block + i, *high = x + block + size / 2 + (mirrored ? step - 1 - i : i);
      V e[tuple];
#pragma GCC unroll 8
      for (int j = 0; j < tuple / 2; j++) e[j] = low[j * step], e[tuple / 2 + j] = high[j * step];
      if constexpr (mirrored)
        merge_registers<tuple>(e);
      else
        order_levels<tuple, tuple / 2>(e);
#pragma GCC unroll 8
      for (int j = 0; j < tuple / 2; j++) low[j * step] = e[j], high[j * step] = e[tuple / 2 + j];
    }
}

// Sorts bitonic blocks of `size`, a power of two; those that begin before `count`.
template <class V>
void sort_bitonic(V* x, std::size_t size, std::size_t count) {
  if (size < 2) return;
  std::size_t rest = 1;
  if (size >= kTuple) {
    merge_pass<kLevels, false>(x, size, count);
    rest = size / kTuple;
  } else if (kLevels > 3 && size == 8) {
    merge_pass<3, false>(x, size, count);
  } else if (size == 4) {
    merge_pass<2, false>(x, size, count);
  } else {
    merge_pass<1, false>(x, size, count);
  }
  if (rest * sizeof(V) <= kNearBytes) {
    sort_bitonic(x, rest, count);
  } else {
    for (std::size_t block = 0; block < count; block += rest) sort_bitonic(x + block, rest, rest);
  }
}

// Merges the ascending halves of a block of `size`, at least kTuple and a power of two, of which `count` values matter.
template <class V>
inline void merge_halves(V* x, std::size_t size, std::size_t count) {
  merge_pass<kLevels, true>(x, size, size);
  const std::size_t rest = size / kTuple;
  if (rest * kTuple * sizeof(V) <= kNearBytes) {
    sort_bitonic(x, rest, count);
  } else {
    for (std::size_t block = 0; block < count; block += rest) sort_bitonic(x + block, rest, rest);
  }
}

template <int count, class V>
inline void sort_few(V* x) {
  V e[count];
#pragma GCC unroll 16
  for (int j = 0; j < count; j++) e[j] = x[j];
  sort_registers<count>(e);
#pragma GCC unroll 16
  for (int j = 0; j < count; j++) x[j] = e[j];
}

template <class V>
void sort_block(V* x, std::size_t size, std::size_t count) {
  if (size == kTuple) {
    if (count <= kTuple / 4) return sort_few<int(kTuple / 4)>(x);
    if (count <= kTuple / 2) return sort_few<int(kTuple / 2)>(x);
    return sort_few<int(kTuple)>(x);
  }
  const std::size_t half = size / 2;
  sort_block(x, half, count < half ? count : half);
  if (count <= half) return;
  sort_block(x + half, half, count - half);
  merge_halves(x, size, count);
}

inline std::size_t sorting_room(std::size_t count) {
  std::size_t size = kTuple;
  while (size < count) size *= 2;
  return size;
}

// Sorts `count` values; x has room for sorting_room(count), and what is beyond the values becomes `highest`, which
// is not less than any of them.
template <class V>
inline void sort_ascending(V* x, std::size_t count, V highest) {
  const std::size_t size = sorting_room(count);
  for (std::size_t i = count; i < size; i++) x[i] = highest;
  sort_block(x, size, count);
}

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
