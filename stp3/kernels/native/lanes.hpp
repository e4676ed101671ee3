// A vector of floats whose lanes are worked on alike: slices, angles, grid rows or columns, as each stage likes it best.
//
// Every multiply-add is written out and the compiler may not fuse others (-ffp-contract=off): the same element goes
// through the same roundings whatever its lane stands for. That is what makes a slice's bits independent of its company.
#pragma once

#include <cstddef>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace stp3 {
namespace STP3_INSTRUCTIONS {  // each instruction set has its own copy of everything below

template <int L>
struct Lanes {
  typedef float vector __attribute__((vector_size(4 * L)));
  typedef float unaligned __attribute__((vector_size(4 * L), aligned(4), may_alias));
};

template <class V>
struct Complex {
  V r, i;
};

template <class V>
inline V splat(float value) {
  return value - V{};
}

// a * b + c, a * b - c and c - a * b, rounded once where the instruction set can.
#if defined(__AVX512F__)
typedef Lanes<16>::vector Vector16;
inline Vector16 mul_add(Vector16 a, Vector16 b, Vector16 c) { return _mm512_fmadd_ps(a, b, c); }
inline Vector16 mul_sub(Vector16 a, Vector16 b, Vector16 c) { return _mm512_fmsub_ps(a, b, c); }
inline Vector16 sub_mul(Vector16 c, Vector16 a, Vector16 b) { return _mm512_fnmadd_ps(a, b, c); }
inline void stream(float* at, Vector16 v) { _mm512_stream_ps(at, v); }
#endif
#if defined(__FMA__)
typedef Lanes<8>::vector Vector8;
inline Vector8 mul_add(Vector8 a, Vector8 b, Vector8 c) { return _mm256_fmadd_ps(a, b, c); }
inline Vector8 mul_sub(Vector8 a, Vector8 b, Vector8 c) { return _mm256_fmsub_ps(a, b, c); }
inline Vector8 sub_mul(Vector8 c, Vector8 a, Vector8 b) { return _mm256_fnmadd_ps(a, b, c); }
inline void stream(float* at, Vector8 v) { _mm256_stream_ps(at, v); }
#endif
typedef Lanes<4>::vector Vector4;
#if defined(__aarch64__)
inline Vector4 mul_add(Vector4 a, Vector4 b, Vector4 c) { return (Vector4)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
inline Vector4 sub_mul(Vector4 c, Vector4 a, Vector4 b) { return (Vector4)vfmsq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
inline Vector4 mul_sub(Vector4 a, Vector4 b, Vector4 c) { return -sub_mul(c, a, b); }
#else
inline Vector4 mul_add(Vector4 a, Vector4 b, Vector4 c) { return a * b + c; }
inline Vector4 mul_sub(Vector4 a, Vector4 b, Vector4 c) { return a * b - c; }
inline Vector4 sub_mul(Vector4 c, Vector4 a, Vector4 b) { return c - a * b; }
#endif
#if defined(__x86_64__)
inline void stream(float* at, Vector4 v) { _mm_stream_ps(at, v); }
inline void finish_streams() { _mm_sfence(); }
#else
inline void stream(float* at, Vector4 v) { std::memcpy(at, &v, sizeof v); }
inline void finish_streams() {}
#endif

template <class V>
inline Complex<V> times(Complex<V> a, Complex<V> b) {
  return {mul_sub(a.r, b.r, a.i * b.i), mul_add(a.r, b.i, a.i * b.r)};
}

// One instruction; the second where the two are alike, or one of them is not a number.
template <class V>
inline V smaller(V a, V b) { return a < b ? a : b; }
template <class V>
inline V larger(V a, V b) { return a > b ? a : b; }

// Which element of two joined vectors goes to place j when blocks of h rows and columns change sides.
template <int L>
constexpr int low_source(int h, int j) { return (j & h) ? L + j - h : j; }
template <int L>
constexpr int high_source(int h, int j) { return (j & h) ? L + j : j + h; }

template <int L, int h, int... j>
inline void exchange(typename Lanes<L>::vector& x, typename Lanes<L>::vector& y, std::integer_sequence<int, j...>) {
  const auto a = x, b = y;
  x = __builtin_shufflevector(a, b, low_source<L>(h, j)...);
  y = __builtin_shufflevector(a, b, high_source<L>(h, j)...);
}

// Rows into columns, in place: v[i][j] becomes v[j][i]. Eklundh's method, one exchange of blocks per bit of the index.
template <int L, int h = L / 2>
inline void transpose(typename Lanes<L>::vector* v) {
#pragma GCC unroll 16
  for (int i = 0; i < L; i++)
    if (!(i & h)) exchange<L, h>(v[i], v[i + h], std::make_integer_sequence<int, L>());
  if constexpr (h > 1) transpose<L, h / 2>(v);
}

template <int L>
inline typename Lanes<L>::vector load(const float* from) {
  return *reinterpret_cast<const typename Lanes<L>::unaligned*>(from);
}

template <int L>
inline void store(float* to, typename Lanes<L>::vector v) {
  *reinterpret_cast<typename Lanes<L>::unaligned*>(to) = v;
}

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
