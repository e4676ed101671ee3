// Compiled once for each instruction set, with STP3_INSTRUCTIONS (its name) and STP3_LANES defined.
#include "stripes.hpp"

#include "sliding_median.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

constexpr int L = STP3_LANES, kSmoothed = 11, kTogether = 16, kAhead = 12, kFactors = 8;
constexpr int kAngleBits = 20;  // of a key: above them stand the value's 32 bits, above those the exponent of 1.0

typedef std::int32_t Ints __attribute__((vector_size(4 * L)));
typedef std::uint32_t Words __attribute__((vector_size(4 * L)));
typedef std::uint32_t HalfWords __attribute__((vector_size(2 * L)));
typedef std::uint64_t Longs __attribute__((vector_size(4 * L)));
typedef std::int32_t HalfInts __attribute__((vector_size(2 * L)));
typedef float HalfFloats __attribute__((vector_size(2 * L)));

template <class Half>
inline Half load_half(const float* from) {
  Half v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <class Half, int... i>
inline auto joined(Half a, Half b, std::integer_sequence<int, i...>) { return __builtin_shufflevector(a, b, i...); }
inline Words joined(HalfWords a, HalfWords b) { return joined(a, b, std::make_integer_sequence<int, L>()); }

inline Doubles add_product(double weight, Doubles v, Doubles sum) {
#if STP3_LANES == 16 && defined(__AVX512F__)
  return _mm512_fmadd_pd(_mm512_set1_pd(weight), v, sum);
#elif STP3_LANES == 8 && defined(__FMA__)
  return _mm256_fmadd_pd(_mm256_set1_pd(weight), v, sum);
#else
  return weight * v + sum;
#endif
}

inline Floats load_some(const float* from, int count) {
  if (count >= L) return load<L>(from);
  Floats v = {};
  for (int s = 0; s < count; s++) v[s] = from[s];
  return v;
}

inline void store_some(float* to, Floats v, int count) {
  if (count >= L) return store<L>(to, v);
  for (int s = 0; s < count; s++) to[s] = v[s];
}

// One row's way through the stages, every member of the team on its share of each.
class StripedRow {
 public:
  StripedRow(const StripeTask& task, StripeRoom& room, int row, Team& team, int member)
      : task_(task), room_(room), team_(team), in_(task.in + row * task.in_row), out_(task.out + row * task.out_row),
        groups_((task.columns + L - 1) / L), strip_(own<Floats>(member, room.strip)), keys_(own<Doubles>(member, room.keys)),
        padded_(own<Floats>(member, room.padded)), medians_(own<Floats>(member, room.medians)) {}

  void run() {
    if (task_.dead) {
      team_.each((groups_ + kTogether - 1) / kTogether, [this](int some) { measure_variation(some * kTogether); });
      team_.each(1, [this](int) { find_dead(task_, room_); });
    }
    if (task_.weights) return remove_fit();
    if (!task_.large && task_.size_small <= 1) return team_.each(groups_, [this](int group) { copy(group); });
    team_.each(groups_, [this](int group) { sort(group); });
    if (task_.large) {
      team_.each((room_.quantiles + L - 1) / L, [this](int block) { subtract_medians(block); });
      team_.each(1, [this](int) { measure_excess(), find_large(task_, room_); });
    }
    team_.each((task_.angles + L - 1) / L, [this](int block) { smooth(block); });
    team_.each(groups_, [this](int group) { unsort(group); });
  }

 private:
  template <class T>
  T* own(int member, std::size_t at) { return reinterpret_cast<T*>(room_.own + member * room_.own_bytes + at); }

  int width(int group) const { return task_.columns - group * L < L ? task_.columns - group * L : L; }

  // Sum over the angles of how far each value is from the mean of its neighbours in angle. The last columns are of
  // no group of their own: they are looked at through a copy.
  void measure_variation(int first) {
    const int last = first + kTogether < groups_ ? first + kTogether : groups_;
    const int halves = 2 * (last - first), column = first * L;
    Doubles means[2 * kTogether] = {}, sums[2 * kTogether] = {};
    float lines[3][kTogether * L];
    for (int angle = -kSmoothed / 2; angle <= kSmoothed / 2; angle++) {
      const float* line = some_line(angle, column, halves, lines[0]);
      for (int i = 0; i < halves; i++) means[i] += half_line(line, i);
    }
    for (int i = 0; i < halves; i++) means[i] /= kSmoothed;
    for (int angle = 0; angle < task_.angles; angle++) {
      __builtin_prefetch(in_ + (angle + kAhead) * task_.in_angle + column);
      const float* line = some_line(angle, column, halves, lines[0]);
      const float* added = some_line(angle + kSmoothed / 2, column, halves, lines[1]);
      const float* dropped = some_line(angle - kSmoothed / 2 - 1, column, halves, lines[2]);
      for (int i = 0; i < halves; i++) {
        if (angle) means[i] += (half_line(added, i) - half_line(dropped, i)) * (1.0 / kSmoothed);
        const HalfFloats away = load_half<HalfFloats>(line + i * (L / 2)) - __builtin_convertvector(means[i], HalfFloats);
        sums[i] += __builtin_convertvector((HalfFloats)((HalfWords)away & 0x7fffffffu), Doubles);
      }
    }
    for (int i = 0; i < halves; i++)
      for (int s = 0; s < L / 2; s++) room_.levels[column + i * (L / 2) + s] = sums[i][s];
  }

  static Doubles half_line(const float* line, int half) {
    return __builtin_convertvector(load_half<HalfFloats>(line + half * (L / 2)), Doubles);
  }

  // Some columns of an angle, mirrored beyond the ends; a copy of them where the detector ends before their vectors.
  const float* some_line(int angle, int column, int halves, float* copy) const {
    const float* line = in_ + mirrored(angle, task_.angles) * task_.in_angle + column;
    if (column + halves * (L / 2) <= task_.columns) return line;
    for (int i = 0; i < halves * (L / 2); i++) copy[i] = column + i < task_.columns ? line[i] : 0.f;
    return copy;
  }

  // All angles of a group of columns; dead ones are drawn between their neighbours.
  void load_strip(int group) {
    const float* from = in_ + group * L;
    const int count = width(group);
    for (int angle = 0; angle < task_.angles; angle++) {
      const float* line = from + angle * task_.in_angle;
      __builtin_prefetch(line + kAhead * task_.in_angle);
      strip_[angle] = load_some(line, count);
    }
    if (!task_.dead) return;
    for (int s = 0; s < count; s++) {
      const int column = group * L + s, before = room_.before[column], after = room_.after[column];
      if (before < 0) continue;
      const float near = room_.weight[column], far = 1 - near;
      for (int angle = 0; angle < task_.angles; angle++) {
        const float* line = in_ + angle * task_.in_angle;
        strip_[angle][s] = line[before] * far + line[after] * near;
      }
    }
  }

  void copy(int group) {
    load_strip(group);
    for (int angle = 0; angle < task_.angles; angle++)
      store_some(out_ + angle * task_.out_angle + group * L, strip_[angle], width(group));
  }

  void sort(int group) {
    load_strip(group);
    if (task_.components) {
      Doubles* factors = reinterpret_cast<Doubles*>(padded_);
      find_factors(factors);
      for (int angle = 0; angle < task_.angles; angle++) store_composed(factors, angle, reinterpret_cast<float*>(strip_ + angle));
    }
    Doubles* other = keys_ + sorting_room(task_.angles);
    for (int angle = 0; angle < task_.angles; angle++) {
      const float* line = reinterpret_cast<const float*>(strip_ + angle);
      keys_[angle] = key(load_half<HalfWords>(line), angle);
      other[angle] = key(load_half<HalfWords>(line + L / 2), angle);
    }
    sort_ascending(keys_, task_.angles, Doubles{} + 2);
    sort_ascending(other, task_.angles, Doubles{} + 2);
    for (int block = 0; block * L < task_.angles; block++) take_apart(group, block, other);
  }

  // Doubles between 1 and 2 of the order that equal values have by angle: their minima and maxima sort both together.
  static Doubles key(HalfWords bits, int angle) {
    const HalfWords rising = bits ^ ((HalfWords)((HalfInts)bits >> 31) | 0x80000000u);  // integers in the floats' order
    return (Doubles)(__builtin_convertvector(rising, Longs) << kAngleBits | (std::uint64_t(0x3ff) << 52 | std::uint64_t(angle)));
  }

  void take_apart(int group, int block, const Doubles* other) {
    Floats values[L];
    std::uint32_t* order = room_.order + std::size_t(group) * task_.angles * L;
    const int count = task_.angles - block * L < L ? task_.angles - block * L : L;
    for (int i = count; i < L; i++) values[i] = Floats{};
    for (int i = 0; i < count; i++) {
      const int rank = block * L + i;
      const Longs one = (Longs)keys_[rank], two = (Longs)other[rank];
      const Words rising = joined(__builtin_convertvector(one >> kAngleBits, HalfWords), __builtin_convertvector(two >> kAngleBits, HalfWords));
      values[i] = (Floats)(rising ^ (~(Words)((Ints)rising >> 31) | 0x80000000u));
      const Words angles = joined(__builtin_convertvector(one, HalfWords), __builtin_convertvector(two, HalfWords));
      store<L>(reinterpret_cast<float*>(order + std::size_t(rank) * L), (Floats)(angles & ((1u << kAngleBits) - 1)));
    }
    if (task_.large) pick(group, block, values);
    transpose<L>(values);
    Floats* to = place(room_.values, block, group * L);
    for (int s = 0; s < L; s++) to[s] = values[s];
  }

  void pick(int group, int block, const Floats* values) {
    for (int q = 0; q < room_.quantiles; q++) {
      if (room_.ranks[q] / L != block) continue;
      float* to = reinterpret_cast<float*>(place(room_.picked, q / L, group * L)) + q % L;
      for (int s = 0; s < L; s++) to[s * L] = values[room_.ranks[q] % L][s];
    }
  }

  Floats* place(float* blocks, int block, int column) const {
    return reinterpret_cast<Floats*>(blocks) + std::size_t(block) * groups_ * L + column;
  }

  // The values of a block with half a window more at both ends.
  void pad(const Floats* block, int size) {
    const int half = size / 2;
    for (int i = 0; i < half; i++) padded_[i] = block[mirrored(i - half, task_.columns)];
    for (int i = 0; i < task_.columns; i++) padded_[half + i] = block[i];
    for (int i = 0; i < half; i++) padded_[half + task_.columns + i] = block[mirrored(task_.columns + i, task_.columns)];
  }

  void subtract_medians(int block) {
    Floats* values = place(room_.picked, block, 0);
    pad(values, task_.size_large);
    sliding_medians(padded_, task_.size_large, 0, task_.columns, values, medians_);
    for (int column = 0; column < task_.columns; column++) values[column] = padded_[task_.size_large / 2 + column] - values[column];
  }

  void measure_excess() {
    for (int column = 0; column < task_.columns; column++) {
      double sum = 0;
      for (int q = 0; q < room_.quantiles; q++) sum += (*place(room_.picked, q / L, column))[q % L];
      room_.levels[column] = sum / room_.quantiles;
    }
  }

  void smooth(int block) {
    Floats* values = place(room_.values, block, 0);
    if (task_.large && room_.any_large) {
      pad(values, task_.size_large);
      for (int column = 0; column < task_.columns; column++) {
        const int start = column;
        while (column < task_.columns && room_.found[column]) column++;
        if (start < column) sliding_medians(padded_, task_.size_large, start, column, values + start, medians_);
      }
    }
    if (task_.size_small <= 1) return;
    pad(values, task_.size_small);
    sliding_medians(padded_, task_.size_small, 0, task_.columns, values, medians_);
    if (task_.components)
      for (int column = 0; column < task_.columns; column++) values[column] -= padded_[task_.size_small / 2 + column];
  }

  void unsort(int group) {
    put_back(group);
    const int count = width(group);
    float* to = out_ + group * L;
    // lines that are not read again soon need not be fetched first
    const bool whole = count == L && std::uintptr_t(to) % sizeof(Floats) == 0 && task_.out_angle % L == 0;
    for (int angle = 0; angle < task_.angles; angle++, to += task_.out_angle) {
      Floats v = strip_[angle];
      if (task_.components) v += load_some(in_ + angle * task_.in_angle + group * L, count);
      whole ? stream(to, v) : store_some(to, v, count);
    }
    finish_streams();
  }

  // Each value of a group of columns at its angle.
  void put_back(int group) {
    const std::uint32_t* order = room_.order + std::size_t(group) * task_.angles * L;
    float* strip = reinterpret_cast<float*>(strip_);
    for (int block = 0; block * L < task_.angles; block++) {
      Floats values[L];
      const Floats* from = place(room_.values, block, group * L);
      for (int s = 0; s < L; s++) values[s] = from[s];
      transpose<L>(values);
      const float* value = reinterpret_cast<const float*>(values);
      const int count = task_.angles - block * L < L ? task_.angles - block * L : L;
      for (int i = 0; i < count; i++, order += L, value += L)
        for (int s = 0; s < L; s++) strip[std::size_t(order[s]) * L + s] = value[s];
    }
  }

  // Of the strip: sums over the angles with each component, so many of them in registers. [component][half].
  void find_factors(Doubles* factors) {
    int component = 0;
    for (; component + kFactors <= task_.components; component += kFactors) sum_products<kFactors>(component, factors + 2 * component);
    for (; component < task_.components; component++) sum_products<1>(component, factors + 2 * component);
  }

  template <int count>
  void sum_products(int component, Doubles* factors) {
    Doubles sums[2 * count] = {};
    for (int angle = 0; angle < task_.angles; angle++) {
      const float* line = reinterpret_cast<const float*>(strip_ + angle);
      const Doubles left = half_line(line, 0), right = half_line(line, 1);
      const double* weights = task_.analysis + std::size_t(angle) * task_.components + component;
#pragma GCC unroll 8
      for (int c = 0; c < count; c++) {
        sums[2 * c] = add_product(weights[c], left, sums[2 * c]);
        sums[2 * c + 1] = add_product(weights[c], right, sums[2 * c + 1]);
      }
    }
    for (int c = 0; c < 2 * count; c++) factors[c] = sums[c];
  }

  // What the components stand for at an angle. Rounded from doubles: where a line is constant, so is this.
  void store_composed(const Doubles* factors, int angle, float* to) const {
    const double* weights = task_.synthesis + std::size_t(angle) * task_.components;
    Doubles left = {}, right = {};
    for (int c = 0; c < task_.components; c++) {
      left = add_product(weights[c], factors[2 * c], left);
      right = add_product(weights[c], factors[2 * c + 1], right);
    }
    const HalfFloats halves[] = {__builtin_convertvector(left, HalfFloats), __builtin_convertvector(right, HalfFloats)};
    std::memcpy(to, halves, sizeof halves);
  }

  // What the fits of the columns have beyond those of their neighbours goes.
  void remove_fit() {
    team_.each(groups_, [this](int group) { load_strip(group), find_factors(factors(group)); });
    team_.each(task_.components, [this](int component) { subtract_smooth(component); });
    team_.each(groups_, [this](int group) {
      load_strip(group);
      alignas(Floats) float beyond[L];
      for (int angle = 0; angle < task_.angles; angle++) {
        store_composed(factors(group), angle, beyond);
        store_some(out_ + angle * task_.out_angle + group * L, strip_[angle] - load<L>(beyond), width(group));
      }
    });
  }

  Doubles* factors(int group) const { return reinterpret_cast<Doubles*>(room_.factors) + std::size_t(group) * task_.components * 2; }

  void subtract_smooth(int component) {
    double* line = reinterpret_cast<double*>(padded_);
    const auto factor = [&](int column) -> double& {
      return reinterpret_cast<double*>(factors(column / L) + 2 * component)[column % L];
    };
    for (int i = 0; i < task_.columns; i++) line[i] = factor(i);
    for (int i = 0; i < task_.columns; i++) {
      double sum = task_.weights[0] * line[i];
      for (int k = 1; k <= task_.reach; k++)
        sum += task_.weights[k] * (line[mirrored(i - k, task_.columns)] + line[mirrored(i + k, task_.columns)]);
      factor(i) -= sum;
    }
  }

  const StripeTask& task_;
  StripeRoom& room_;
  Team& team_;
  const float* const in_;
  float* const out_;
  const int groups_;
  Floats* const strip_;
  Doubles* const keys_;
  Floats *const padded_, *const medians_;
};

void remove_from_row(const StripeTask& task, StripeRoom& room, int row, Team& team, int member) {
  StripedRow(task, room, row, team, member).run();
}

int lanes() { return L; }

// Bytes of keys and of working memory for medians that a thread needs.
std::size_t key_bytes(int angles) { return 2 * sorting_room(angles) * sizeof(Doubles); }
std::size_t median_bytes(int size) { return median_room(size) * sizeof(Floats); }

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
