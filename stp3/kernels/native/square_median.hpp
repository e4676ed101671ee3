// Medians of square windows as networks of minima and maxima. Columns are sorted once for all windows that hold them,
// and so are pairs of columns; what a window adds is the middle of the merge.
#pragma once

#include "lanes.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

#define STP3_INLINE inline __attribute__((always_inline))

// Merges sorted a[0], a[A], a[2A], ... (N of them) with b: Batcher's odd-even merge (AFIPS Conf. Proc. 32:307, 1968).
template <int N, int M, int A, int B, class V>
STP3_INLINE void merge(const V* a, const V* b, V* out) {
  if constexpr (N == 0 || M == 0) {
    for (int i = 0; i < N; i++) out[i] = a[A * i];
    for (int i = 0; i < M; i++) out[i] = b[B * i];
  } else if constexpr (N == 1 && M == 1) {
    const V x = a[0], y = b[0];
    out[0] = smaller(x, y), out[1] = larger(x, y);
  } else {
    constexpr int odds = (N + 1) / 2 + (M + 1) / 2, evens = N / 2 + M / 2;
    V odd[odds], even[evens];
    merge<(N + 1) / 2, (M + 1) / 2, 2 * A, 2 * B>(a, b, odd);
    merge<N / 2, M / 2, 2 * A, 2 * B>(a + A, b + B, even);
    constexpr int pairs = evens < odds - 1 ? evens : odds - 1;
    out[0] = odd[0];
#pragma GCC unroll 32
    for (int i = 0; i < pairs; i++) out[1 + 2 * i] = smaller(even[i], odd[i + 1]), out[2 + 2 * i] = larger(even[i], odd[i + 1]);
    if constexpr (pairs < evens) out[N + M - 1] = even[pairs];
    if constexpr (pairs < odds - 1) out[N + M - 1] = odd[pairs + 1];
  }
}

template <int N, class V>
STP3_INLINE void sort(V* v) {
  if constexpr (N > 1) {
    constexpr int left = N > 4 ? 4 : N > 2 ? 2 : 1;
    V sorted[N];
    sort<left>(v);
    sort<N - left>(v + left);
    merge<left, N - left, 1, 1>(v, v + left, sorted);
    for (int i = 0; i < N; i++) v[i] = sorted[i];
  }
}

// The least of max(a[i - 1], b[rank - i - 1]) over i = first ... last, where either may be missing at the ends.
template <int rank, int first, int last, class V>
STP3_INLINE V least(const V* a, const V* b) {
  if constexpr (first < last) {
    constexpr int half = (first + last) / 2;
    return smaller(least<rank, first, half>(a, b), least<rank, half + 1, last>(a, b));
  } else if constexpr (first == 0) {
    return b[rank - 1];
  } else if constexpr (first == rank) {
    return a[rank - 1];
  } else {
    return larger(a[first - 1], b[rank - first - 1]);
  }
}

// The value of that rank (from 1) among N sorted a and M sorted b.
template <int N, int M, int rank, class V>
STP3_INLINE V select(const V* a, const V* b) {
  return least<rank, (rank > M ? rank - M : 0), (rank < N ? rank : N)>(a, b);
}

template <class V>
STP3_INLINE V middle(V a, V b, V c) {
  return larger(smaller(a, b), smaller(larger(a, b), c));
}

// Medians along a row of pixels. `kStrip` medians at a time: what they share stays in the first-level cache.
template <int L, int S>
class RowMedians {
  using V = typename Lanes<L>::vector;

 public:
  static constexpr int kStrip = 256;
  static constexpr int kWide = 32;  // what a strip needs beyond its medians: a window and two vectors
  static constexpr int kRoom = (S > 3 ? 3 * S : S) * (kStrip + kWide);  // floats

  // Medians of the windows that begin at columns x ... x + kStrip - 1 of S rows, each readable up to kWide floats beyond them.
  static void find(const float* const* rows, std::ptrdiff_t x, float* room, float* medians, int count) {
    constexpr int wide = kStrip + kWide;
    const int reach = (count + S - 1 + L - 1) / L * L;
    for (int c = 0; c < reach; c += L) {
      V v[S];
      for (int i = 0; i < S; i++) v[i] = load<L>(rows[i] + x + c);
      sort<S>(v);
      for (int i = 0; i < S; i++) store<L>(room + i * wide + c, v[i]);
    }
    float* pairs = room + S * wide;
    if constexpr (S > 3)
      for (int c = 0; c < count + S - 2; c += L) {
        V a[S], b[S], both[2 * S];
        for (int i = 0; i < S; i++) a[i] = load<L>(room + i * wide + c), b[i] = load<L>(room + i * wide + c + 1);
        merge<S, S, 1, 1>(a, b, both);
        for (int i = 0; i < 2 * S; i++) store<L>(pairs + i * wide + c, both[i]);
      }
    for (int c = 0; c < count; c += L) store<L>(medians + c, median(room + c, pairs + c));
  }

 private:
  template <int N>
  STP3_INLINE static void take(const float* from, V* to) {
    constexpr int wide = kStrip + kWide;
#pragma GCC unroll 32
    for (int i = 0; i < N; i++) to[i] = load<L>(from + i * wide);
  }

  STP3_INLINE static V median(const float* columns, const float* pairs) {
    if constexpr (S == 3) {
      V a[3], b[3], c[3];
      take<3>(columns, a), take<3>(columns + 1, b), take<3>(columns + 2, c);
      return middle(larger(larger(a[0], b[0]), c[0]), middle(a[1], b[1], c[1]), smaller(smaller(a[2], b[2]), c[2]));
    } else {
      V a[2 * S], b[2 * S], four[4 * S];
      take<2 * S>(pairs, a), take<2 * S>(pairs + 2, b);
      merge<2 * S, 2 * S, 1, 1>(a, b, four);
      V last[S];
      take<S>(columns + S - 1, last);
      if constexpr (S == 5) return select<4 * S, S, (S * S + 1) / 2>(four, last);
      V pair[2 * S], three[3 * S];
      take<2 * S>(pairs + 4, pair);
      merge<2 * S, S, 1, 1>(pair, last, three);
      return select<4 * S, 3 * S, (S * S + 1) / 2>(four, three);
    }
  }
};

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
