// Fourier transforms of many signals at once, one signal a lane. Stockham's autosort form, mixed radix 2, 3, 4, 5, 8
// (Stockham, Proc. AFIPS 28:229, 1966; Temperton, J. Comput. Phys. 52:1, 1983).
#pragma once

#include "lanes.hpp"
#include "plan.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

template <class V>
inline Complex<V> operator+(Complex<V> a, Complex<V> b) { return {a.r + b.r, a.i + b.i}; }
template <class V>
inline Complex<V> operator-(Complex<V> a, Complex<V> b) { return {a.r - b.r, a.i - b.i}; }

template <bool inverse, class V>
inline Complex<V> turned(Complex<V> a) {  // a times -i forward, i inverse
  if constexpr (inverse) return {-a.i, a.r};
  return {a.i, -a.r};
}

template <bool inverse, class V>
inline void butterfly4(Complex<V>& a0, Complex<V>& a1, Complex<V>& a2, Complex<V>& a3) {
  const Complex<V> t0 = a0 + a2, t1 = a0 - a2, t2 = a1 + a3, t3 = a1 - a3;
  a0 = t0 + t2;
  a2 = t0 - t2;
  if constexpr (inverse) {
    a1 = {t1.r - t3.i, t1.i + t3.r};
    a3 = {t1.r + t3.i, t1.i - t3.r};
  } else {
    a1 = {t1.r + t3.i, t1.i - t3.r};
    a3 = {t1.r - t3.i, t1.i + t3.r};
  }
}

template <bool inverse, class V>
inline void butterfly3(Complex<V>* a) {
  const V s = splat<V>(0.866025403784438647f), h = splat<V>(0.5f);
  const Complex<V> t = a[1] + a[2], d = turned<inverse>(a[1] - a[2]);
  const Complex<V> m = {sub_mul(a[0].r, t.r, h), sub_mul(a[0].i, t.i, h)};
  a[0] = a[0] + t;
  a[1] = {mul_add(d.r, s, m.r), mul_add(d.i, s, m.i)};
  a[2] = {sub_mul(m.r, d.r, s), sub_mul(m.i, d.i, s)};
}

template <bool inverse, class V>
inline void butterfly5(Complex<V>* a) {
  const V c1 = splat<V>(0.309016994374947424f), c2 = splat<V>(-0.809016994374947424f);
  const V s1 = splat<V>(0.951056516295153572f), s2 = splat<V>(0.587785252292473129f);
  const Complex<V> t1 = a[1] + a[4], t2 = a[2] + a[3];
  const Complex<V> d1 = turned<inverse>(a[1] - a[4]), d2 = turned<inverse>(a[2] - a[3]);
  const Complex<V> m1 = {mul_add(t2.r, c2, mul_add(t1.r, c1, a[0].r)), mul_add(t2.i, c2, mul_add(t1.i, c1, a[0].i))};
  const Complex<V> m2 = {mul_add(t2.r, c1, mul_add(t1.r, c2, a[0].r)), mul_add(t2.i, c1, mul_add(t1.i, c2, a[0].i))};
  const Complex<V> e1 = {mul_add(d2.r, s2, d1.r * s1), mul_add(d2.i, s2, d1.i * s1)};
  const Complex<V> e2 = {mul_sub(d1.r, s2, d2.r * s1), mul_sub(d1.i, s2, d2.i * s1)};
  a[0] = a[0] + (t1 + t2);
  a[1] = m1 + e1;
  a[4] = m1 - e1;
  a[2] = m2 + e2;
  a[3] = m2 - e2;
}

template <bool inverse, class V>
inline void butterfly8(Complex<V>* a) {
  const V s = splat<V>(0.707106781186547524f);
  Complex<V> b[4], c[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    b[j] = a[j] + a[j + 4];
    c[j] = a[j] - a[j + 4];
  }
  c[2] = turned<inverse>(c[2]);
  if constexpr (inverse) {
    c[1] = {(c[1].r - c[1].i) * s, (c[1].r + c[1].i) * s};
    c[3] = {-((c[3].r + c[3].i) * s), (c[3].r - c[3].i) * s};
  } else {
    c[1] = {(c[1].r + c[1].i) * s, (c[1].i - c[1].r) * s};
    c[3] = {(c[3].i - c[3].r) * s, -((c[3].r + c[3].i) * s)};
  }
  butterfly4<inverse>(b[0], b[1], b[2], b[3]);
  butterfly4<inverse>(c[0], c[1], c[2], c[3]);
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    a[2 * j] = b[j];
    a[2 * j + 1] = c[j];
  }
}

template <int radix, bool inverse, class V>
inline void butterfly(Complex<V>* a) {
  if constexpr (radix == 2) {
    const Complex<V> t = a[0] - a[1];
    a[0] = a[0] + a[1];
    a[1] = t;
  } else if constexpr (radix == 3) {
    butterfly3<inverse>(a);
  } else if constexpr (radix == 4) {
    butterfly4<inverse>(a[0], a[1], a[2], a[3]);
  } else if constexpr (radix == 5) {
    butterfly5<inverse>(a);
  } else {
    butterfly8<inverse>(a);
  }
}

template <int radix, bool inverse, bool twiddled, class V>
inline void run_butterflies(std::size_t m, std::size_t s, const float* twiddles, const Complex<V>* x, Complex<V>* y) {
  for (std::size_t q = 0; q < s; q++) {
    Complex<V> a[radix];
#pragma GCC unroll 8
    for (int j = 0; j < radix; j++) a[j] = x[q + s * m * j];
    butterfly<radix, inverse>(a);
    y[q] = a[0];
#pragma GCC unroll 8
    for (int k = 1; k < radix; k++) {
      if constexpr (twiddled) {
        const V wr = splat<V>(twiddles[2 * k - 2]), wi = splat<V>(twiddles[2 * k - 1]);
        if constexpr (inverse)
          y[q + s * k] = {mul_add(a[k].r, wr, a[k].i * wi), mul_sub(a[k].i, wr, a[k].r * wi)};
        else
          y[q + s * k] = {mul_sub(a[k].r, wr, a[k].i * wi), mul_add(a[k].r, wi, a[k].i * wr)};
      } else {
        y[q + s * k] = a[k];
      }
    }
  }
}

template <int radix, bool inverse, class V>
__attribute__((noinline)) void run_stage(const Stage& stage, const float* twiddles, const Complex<V>* x, Complex<V>* y) {
  const std::size_t m = stage.count, s = stage.stride;
  run_butterflies<radix, inverse, false>(m, s, twiddles, x, y);  // the first have factors of one
  for (std::size_t p = 1; p < m; p++) {
    twiddles += 2 * (radix - 1);
    run_butterflies<radix, inverse, true>(m, s, twiddles, x + s * p, y + s * radix * p);
  }
}

// The transform of x, not scaled; both arrays are written to, the result is in the one returned.
template <bool inverse, class V>
Complex<V>* transform(const FftPlan& plan, Complex<V>* x, Complex<V>* work) {
  for (const Stage *stage = plan.stages.data(), *end = stage + plan.stages.size(); stage < end; stage++) {
    const float* twiddles = plan.twiddles.data() + stage->twiddles;
    switch (stage->radix) {
      case 2: run_stage<2, inverse>(*stage, twiddles, x, work); break;
      case 3: run_stage<3, inverse>(*stage, twiddles, x, work); break;
      case 4: run_stage<4, inverse>(*stage, twiddles, x, work); break;
      case 5: run_stage<5, inverse>(*stage, twiddles, x, work); break;
      default: run_stage<8, inverse>(*stage, twiddles, x, work);
    }
    Complex<V>* const other = x;
    x = work;
    work = other;
  }
  return x;
}

// Bin k of the real signal's transform, from the half-length transform z. 0 <= k <= n / 2.
template <class V>
inline Complex<V> real_bin(const RealFftPlan& plan, const Complex<V>* z, int k) {
  const int h = plan.half.length;
  const Complex<V> a = z[k == h ? 0 : k], b = z[k == 0 ? 0 : h - k];
  const V wr = splat<V>(plan.turns.data()[2 * k]), wi = splat<V>(plan.turns.data()[2 * k + 1]), half = splat<V>(0.5f);
  const V er = a.r + b.r, ei = a.i - b.i, dr = a.r - b.r, di = a.i + b.i;  // even part, odd part times 2i
  return {half * mul_add(dr, wi, mul_add(di, wr, er)), half * mul_add(di, wi, sub_mul(ei, dr, wr))};
}

// Entry k of the half-length signal whose inverse transform holds the real signal's even and odd samples; a and b are
// bins k and n / 2 - k.
template <class V>
inline Complex<V> half_entry(const RealFftPlan& plan, Complex<V> a, Complex<V> b, int k) {
  const V wr = splat<V>(plan.turns.data()[2 * k]), wi = splat<V>(plan.turns.data()[2 * k + 1]);
  const V er = a.r + b.r, ei = a.i - b.i, dr = a.r - b.r, di = a.i + b.i;
  const V odd_r = mul_add(dr, wr, di * wi), odd_i = mul_sub(di, wr, dr * wi);
  return {er - odd_i, ei + odd_r};
}

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
