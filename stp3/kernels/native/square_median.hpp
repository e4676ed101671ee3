// Medians of square windows as networks of minima and maxima. Columns are sorted once for all windows that hold them,
// and in larger windows pairs of columns are merged once; what a window adds is the middle of the merge.
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

// Medians along a row of pixels, `kStrip` at a time: what larger windows share stays in the first-level cache.
template <int L, int S>
class RowMedians {
  using V = typename Lanes<L>::vector;

 public:
  static constexpr int kStrip = 256;
  static constexpr int kWide = 32;  // what a strip reads beyond its medians
  static constexpr int kRoom = S > 3 ? 3 * S * (kStrip + kWide) : 1;  // floats

  // Medians of the windows that begin at columns x ... x + count - 1 of S rows, each readable kWide floats beyond them.
  static void find(const float* const* rows, std::ptrdiff_t x, float* room, float* medians, int count) {
    if constexpr (S == 3) in_registers(rows, x, medians, count);
    else in_room(rows, x, room, medians, count);
  }

 private:
  static constexpr int kApart = kStrip + kWide;

  STP3_INLINE static void sorted(const float* const* rows, std::ptrdiff_t x, V* v) {
#pragma GCC unroll 8
    for (int i = 0; i < S; i++) v[i] = load<L>(rows[i] + x);
    sort<S>(v);
  }

  template <int by, int... j>
  STP3_INLINE static V shifted(V a, V b, std::integer_sequence<int, j...>) {
    return __builtin_shufflevector(a, b, (j + by)...);
  }

  static void in_registers(const float* const* rows, std::ptrdiff_t x, float* medians, int count) {
    constexpr auto lanes = std::make_integer_sequence<int, L>();
    V a[3], next[3], b[3], c[3];
    sorted(rows, x, a);
    for (int i = 0; i < count; i += L) {
      sorted(rows, x + i + L, next);
      for (int k = 0; k < 3; k++) b[k] = shifted<1>(a[k], next[k], lanes), c[k] = shifted<2>(a[k], next[k], lanes);
      const V low = larger(larger(a[0], b[0]), c[0]), high = smaller(smaller(a[2], b[2]), c[2]);
      store<L>(medians + i, middle(low, middle(a[1], b[1], c[1]), high));
      for (int k = 0; k < 3; k++) a[k] = next[k];
    }
  }

  static void in_room(const float* const* rows, std::ptrdiff_t x, float* room, float* medians, int count) {
    for (int c = 0; c < count + S - 1; c += L) {
      V v[S];
      sorted(rows, x + c, v);
      for (int i = 0; i < S; i++) store<L>(room + i * kApart + c, v[i]);
    }
    float* pairs = room + S * kApart;
    for (int c = 0; c < count + S - 2; c += L) {
      V a[S], b[S], both[2 * S];
      take<S>(room + c, a), take<S>(room + c + 1, b);
      merge<S, S, 1, 1>(a, b, both);
      for (int i = 0; i < 2 * S; i++) store<L>(pairs + i * kApart + c, both[i]);
    }
    for (int c = 0; c < count; c += L) store<L>(medians + c, median(room + c, pairs + c));
  }

  template <int N>
  STP3_INLINE static void take(const float* from, V* to) {
#pragma GCC unroll 32
    for (int i = 0; i < N; i++) to[i] = load<L>(from + i * kApart);
  }

  STP3_INLINE static V median(const float* columns, const float* pairs) {
    V a[2 * S], b[2 * S], four[4 * S], last[S];
    take<2 * S>(pairs, a), take<2 * S>(pairs + 2, b), take<S>(columns + S - 1, last);
    merge<2 * S, 2 * S, 1, 1>(a, b, four);
    if constexpr (S == 5) return select<4 * S, S, (S * S + 1) / 2>(four, last);
    V pair[2 * S], three[3 * S];
    take<2 * S>(pairs + 4, pair);
    merge<2 * S, S, 1, 1>(pair, last, three);
    return select<4 * S, 3 * S, (S * S + 1) / 2>(four, three);
  }
};

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
