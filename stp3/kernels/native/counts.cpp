// Compiled once for each instruction set, with STP3_INSTRUCTIONS (its name) and STP3_LANES defined. All sets give the
// same bits: products and sums are rounded one by one, and no set has a reciprocal or logarithm of its own.
#include "counts.hpp"

#include <cfloat>
#include <cstdint>

#include "square_median.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

constexpr int L = STP3_LANES;
using V = Lanes<L>::vector;
typedef int Ints __attribute__((vector_size(4 * L)));

template <class T>
struct Of {
  typedef T vector __attribute__((vector_size(sizeof(T) * L)));
};

// ---- counts as floats -------------------------------------------------------------------------------------------

STP3_INLINE V as_floats(Of<float>::vector v) { return v; }
STP3_INLINE V as_floats(Of<int>::vector v) { return __builtin_convertvector(v, V); }
STP3_INLINE V as_floats(Of<short>::vector v) { return as_floats(__builtin_convertvector(v, Ints)); }
STP3_INLINE V as_floats(Of<unsigned short>::vector v) { return as_floats(__builtin_convertvector(v, Ints)); }
STP3_INLINE V as_floats(Of<unsigned char>::vector v) { return as_floats(__builtin_convertvector(v, Of<unsigned short>::vector)); }
STP3_INLINE V as_floats(Of<double>::vector v) { return __builtin_convertvector(v, V); }
STP3_INLINE V as_floats(Of<unsigned>::vector v) {  // the halves are exact, their sum is rounded once
  return as_floats((Ints)(v >> 16)) * splat<V>(65536) + as_floats((Ints)(v & 0xFFFF));
}

template <class T>
STP3_INLINE V take(const T* from) {
  typename Of<T>::vector v;
  std::memcpy(&v, from, sizeof v);
  return as_floats(v);
}

template <class T>
STP3_INLINE V take(const T* from, int count) {
  T some[L] = {};
  std::memcpy(some, from, sizeof(T) * count);
  return take(some);
}

STP3_INLINE void put(float* to, V v, int count) { std::memcpy(to, &v, sizeof(float) * count); }

// ---- arithmetic ---------------------------------------------------------------------------------------------------

// -ln(x) to a relative 1e-7, for x raised to `floor` (a normal number) and at most the largest float; NaN counts as that.
// x = m 2^e with m between sqrt(1/2) and sqrt(2); the polynomial is a minimax fit of (ln(1 + f) - f + f^2 / 2) / f^3.
STP3_INLINE V minus_log(V x, V floor) {
  x = smaller(larger(x, floor), splat<V>(FLT_MAX));
  Ints bits = (Ints)x;
  const Ints exponent = (bits - 0x3F3504F3) >> 23;
  const V e = __builtin_convertvector(exponent, V), f = (V)(bits - (exponent << 23)) - 1.0f;
  V p = f * 0.08700434863567352f - 0.14267486333847046f;
  p = p * f + 0.14914768934249878f;
  p = p * f - 0.1657758504152298f;
  p = p * f + 0.19963063299655914f;
  p = p * f - 0.2500133812427521f;
  p = p * f + 0.3333390951156616f;
  const V square = f * f;
  const V small = p * (square * f) + e * -0.00021219444f - square * 0.5f;  // ln 2 in two parts: the first times e is exact
  return -((f + small) + e * 0.693359375f);
}

STP3_INLINE V magnitude(V x) { return (V)((Ints)x & 0x7FFFFFFF); }

STP3_INLINE V open_unless_finite(V x) { return magnitude(x) <= FLT_MAX ? x : splat<V>(1); }

// What becomes of the counts: nothing; what is not a number infinite, so that it stands out; what is not finite 1;
// transmission by one flat; transmission by the flat of the moment.
enum class Light { plain, numbers, open, steady, drifting };

// What a row of counts is divided by.
struct Beam {
  const float *dark, *flat, *next;
  float later;
};

template <Light light, class Load>
STP3_INLINE V corrected(V counts, const Beam& beam, Load&& load) {
  if constexpr (light == Light::plain) return counts;
  if constexpr (light == Light::numbers) return counts == counts ? counts : splat<V>(__builtin_inff());
  if constexpr (light == Light::open) return open_unless_finite(counts);
  if constexpr (light == Light::steady) return open_unless_finite((counts - load(beam.dark)) * load(beam.flat));
  if constexpr (light == Light::drifting) {
    const V bright = load(beam.flat) * (1 - beam.later) + load(beam.next) * beam.later;
    const V x = open_unless_finite((counts - load(beam.dark)) / bright);
    return bright > 0 ? x : splat<V>(1);
  }
}

// work(x, whole) for each vector of a row, work(x, count) for what is left of one at the ends. Stores to `to` are
// aligned from the second vector on.
template <class Work>
STP3_INLINE void along(const float* to, int columns, Work&& work) {
  int x = int(-(reinterpret_cast<std::uintptr_t>(to) / sizeof(float)) % L);
  if (x > columns) x = columns;
  if (x) work(0, x);
  for (; x + L <= columns; x += L) work(x, std::integral_constant<int, L>());
  if (x < columns) work(x, columns - x);
}

template <class Count>
STP3_INLINE void put_result(float* to, V v, Count count, bool past_cache) {
  if constexpr (!std::is_same_v<Count, int>) {
    if (past_cache) return stream(to, v);
    store<L>(to, v);
  } else {
    put(to, v, count);
  }
}

template <bool log, Light light, class T>
void correct_row(const T* counts, const Beam& beam, int columns, V floor, float* to, bool past_cache) {
  along(to, columns, [&](int x, auto count) __attribute__((always_inline)) {
    const auto load = [&](const auto* from) __attribute__((always_inline)) {
      if constexpr (std::is_same_v<decltype(count), int>) return take(from + x, count);
      else return take(from + x);
    };
    V v = corrected<light>(load(counts), beam, load);
    if constexpr (log) v = minus_log(v, floor);
    put_result(to + x, v, count, past_cache);
  });
}

// ---- one thread's share -------------------------------------------------------------------------------------------

class Projections {
 public:
  Projections(const CountsPass& pass, float* room) : p_(pass), line_(room), rings_(room + ring_width(pass)), floor_(splat<V>(pass.floor)) {}

  static std::size_t ring_width(const CountsPass& pass) {  // whole cache lines
    return (std::size_t(pass.columns) + pass.window + RowMedians<L, 3>::kWide + 15) / 16 * 16;
  }

  void run(int first, int count) {
    const int half = p_.window / 2;
    for (int row = 0; row < p_.rows + half; row++)
      for (int i = 0; i < count; i++) {
        if (row < p_.rows) by_type(first + i, row, i);
        if (p_.window > 1 && row >= half) replace_outliers(first + i, row - half, i);
      }
  }

 private:
  float* ring(int projection, int row) const {
    return rings_ + ring_width(p_) * (std::size_t(projection) * p_.window + row % p_.window);
  }

  float* result(int angle, int row) const { return p_.out + angle * p_.out_angle_stride + row * p_.out_row_stride; }

  // Of the types, the most common are read where they are; others become a line of floats first.
  void by_type(int angle, int row, int projection) {
    switch (p_.type) {
      case CountType::u8: return by_light(converted<unsigned char>(angle, row), angle, row, projection);
      case CountType::u16: return by_light(counts<unsigned short>(angle, row), angle, row, projection);
      case CountType::i16: return by_light(converted<short>(angle, row), angle, row, projection);
      case CountType::u32: return by_light(converted<unsigned>(angle, row), angle, row, projection);
      case CountType::i32: return by_light(converted<int>(angle, row), angle, row, projection);
      case CountType::f32: return by_light(counts<float>(angle, row), angle, row, projection);
      case CountType::f64: return by_light(converted<double>(angle, row), angle, row, projection);
    }
  }

  template <class T>
  const T* counts(int angle, int row) const {
    return static_cast<const T*>(p_.counts) + angle * p_.angle_stride + row * p_.row_stride;
  }

  template <class T>
  const float* converted(int angle, int row) const {
    const T* from = counts<T>(angle, row);
    int x = 0;
    for (; x + L <= p_.columns; x += L) store<L>(line_ + x, take(from + x));
    if (x < p_.columns) put(line_ + x, take(from + x, p_.columns - x), p_.columns - x);
    return line_;
  }

  template <class T>
  void by_light(const T* counts, int angle, int row, int projection) {
    if (p_.flats > 1) return correct<Light::drifting>(counts, angle, row, projection);
    if (p_.flats == 1) return correct<Light::steady>(counts, angle, row, projection);
    if (p_.open_beam) return correct<Light::open>(counts, angle, row, projection);
    if (p_.window > 1) return correct<Light::numbers>(counts, angle, row, projection);
    correct<Light::plain>(counts, angle, row, projection);
  }

  template <Light light, class T>
  void correct(const T* counts, int angle, int row, int projection) {
    const Beam beam = light == Light::drifting || light == Light::steady ? beam_of(angle, row) : Beam();
    if (p_.window == 1 && !p_.air) return finish<light>(counts, beam, angle, row);
    float* line = p_.window > 1 ? ring(projection, row) + p_.window / 2 : line_;
    correct_row<false, light>(counts, beam, p_.columns, floor_, line, false);
    if (p_.air) level(line, p_.air + 2 * (std::ptrdiff_t(angle) * p_.rows + row));
    p_.window > 1 ? extend(line) : finish<Light::plain>(line, Beam(), angle, row);
  }

  template <Light light, class T>
  void finish(const T* counts, const Beam& beam, int angle, int row) {
    if (p_.floor > 0) return correct_row<true, light>(counts, beam, p_.columns, floor_, result(angle, row), p_.stream);
    correct_row<false, light>(counts, beam, p_.columns, floor_, result(angle, row), p_.stream);
  }

  // Divides a line by what open beam is across it.
  void level(float* line, const float* ends) const {
    const float step = p_.columns > 1 ? 1.0f / float(p_.columns - 1) : 0.0f;
    V place;
    for (int i = 0; i < L; i++) place[i] = float(i);
    for (int x = 0; x < p_.columns; x += L, place += float(L))
      store<L>(line + x, take(line + x) / ((place * step) * (ends[1] - ends[0]) + ends[0]));
  }

  Beam beam_of(int angle, int row) const {
    const std::ptrdiff_t frame = std::ptrdiff_t(p_.rows) * p_.columns, line = std::ptrdiff_t(row) * p_.columns;
    if (p_.flats == 1) return {p_.dark + line, p_.flat + line, nullptr, 0};
    const float* flat = p_.flat + p_.earlier[angle] * frame + line;
    return {p_.dark + line, flat, flat + frame, p_.later[angle]};
  }

  // Repeats the first and last pixel as far as windows reach.
  void extend(float* line) const {
    for (int i = 1; i <= p_.window / 2; i++) line[-i] = line[0], line[p_.columns - 1 + i] = line[p_.columns - 1];
  }

  void replace_outliers(int angle, int row, int projection) {
    if (p_.window == 3) return by_log<3>(angle, row, projection);
    if (p_.window == 5) return by_log<5>(angle, row, projection);
    by_log<7>(angle, row, projection);
  }

  template <int S>
  void by_log(int angle, int row, int projection) {
    p_.floor > 0 ? replace<S, true>(angle, row, projection) : replace<S, false>(angle, row, projection);
  }

  template <int S, bool log>
  void replace(int angle, int row, int projection) {
    const float* lines[S];
    for (int i = 0; i < S; i++) {
      const int near = row + i - S / 2;
      lines[i] = ring(projection, near < 0 ? 0 : near >= p_.rows ? p_.rows - 1 : near);
    }
    constexpr int strip = RowMedians<L, S>::kStrip;
    alignas(64) float medians[strip], room[RowMedians<L, S>::kRoom];
    for (int x = 0; x < p_.columns; x += strip) {
      const int count = p_.columns - x < strip ? p_.columns - x : strip;
      RowMedians<L, S>::find(lines, x, room, medians, count);
      choose<log>(lines[S / 2] + S / 2 + x, medians, count, result(angle, row) + x);
    }
  }

  template <bool log>
  void choose(const float* line, const float* medians, int columns, float* to) const {
    const V threshold = splat<V>(p_.threshold);
    along(to, columns, [&](int x, auto count) __attribute__((always_inline)) {
      V v, median;
      if constexpr (std::is_same_v<decltype(count), int>) v = take(line + x, count), median = take(medians + x, count);
      else v = take(line + x), median = take(medians + x);
      v = magnitude(v - median) <= threshold ? v : median;
      if constexpr (log) v = minus_log(v, floor_);
      put_result(to + x, v, count, p_.stream);
    });
  }

  const CountsPass& p_;
  float *const line_, *const rings_;
  const V floor_;
};

std::size_t counts_room(const CountsPass& pass) {
  return (1 + kProjectionsTogether * pass.window) * Projections::ring_width(pass);
}

void run_counts(const CountsPass& pass, int first, int count, float* room) {
  Projections(pass, room).run(first, count);
  finish_streams();
}

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
