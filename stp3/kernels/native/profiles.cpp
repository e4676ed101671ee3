// Compiled once for each instruction set, with STP3_INSTRUCTIONS (its name) and STP3_LANES defined.
#include "profiles.hpp"

#include "lanes.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {
namespace {

constexpr int L = STP3_LANES;
constexpr int kWide = L == 16 ? 4 : 2;  // vectors of columns and
constexpr int kTall = 6;                // outputs that stay in registers
constexpr int kTile = L * kWide;
constexpr int kTerms = 128;  // terms packed at once: they stay in the innermost cache
using Vector = Lanes<L>::vector;

// A tile of columns of the lines k to k + terms - 1, side by side; what lies beyond the last column is 0.
void pack(const Weighing& task, const float* lines, int terms, int columns, float* packed) {
  for (int k = 0; k < terms; k++) {
    float* to = packed + k * kTile;
    std::memcpy(to, lines + k * task.line_step, sizeof(float) * columns);
    for (int c = columns; c < kTile; c++) to[c] = 0;
  }
}

template <int tall, bool subtract>
inline void sum(const float* weights, std::ptrdiff_t weight_step, const float* packed, int terms, float* sums) {
  Vector held[tall][kWide];
  for (int i = 0; i < tall; i++)
    for (int j = 0; j < kWide; j++) held[i][j] = load<L>(sums + i * kTile + j * L);
  for (int k = 0; k < terms; k++) {
    Vector x[kWide];
    for (int j = 0; j < kWide; j++) x[j] = load<L>(packed + k * kTile + j * L);
    for (int i = 0; i < tall; i++) {
      const Vector weight = splat<Vector>(weights[i * weight_step + k]);
      for (int j = 0; j < kWide; j++)
        held[i][j] = subtract ? sub_mul(held[i][j], weight, x[j]) : mul_add(weight, x[j], held[i][j]);
    }
  }
  for (int i = 0; i < tall; i++)
    for (int j = 0; j < kWide; j++) store<L>(sums + i * kTile + j * L, held[i][j]);
}

// The sums of `tall` outputs of one tile, started from `from` (null: from 0) and left in `to`.
template <bool subtract>
void add_terms(int tall, const float* weights, std::ptrdiff_t weight_step, const float* packed, int terms, int columns,
               const float* from, std::ptrdiff_t from_step, float* to, std::ptrdiff_t to_step) {
  alignas(64) float sums[kTall * kTile] = {};
  if (from)
    for (int i = 0; i < tall; i++) std::memcpy(sums + i * kTile, from + i * from_step, sizeof(float) * columns);
  if (tall == kTall) {
    sum<kTall, subtract>(weights, weight_step, packed, terms, sums);
  } else {
    for (int i = 0; i < tall; i++)
      sum<1, subtract>(weights + i * weight_step, weight_step, packed, terms, sums + i * kTile);
  }
  for (int i = 0; i < tall; i++) std::memcpy(to + i * to_step, sums + i * kTile, sizeof(float) * columns);
}

template <bool subtract>
void weigh_columns(const Weighing& task, int row, int first) {
  alignas(64) float packed[kTerms * kTile];
  const int columns = task.columns - first < kTile ? task.columns - first : kTile;
  const float* lines = task.lines + row * task.line_row + first;
  const float* base = task.base ? task.base + row * task.base_row + first : nullptr;
  float* out = task.out + row * task.out_row + first;
  for (int k = 0; k < task.terms; k += kTerms) {
    const int terms = task.terms - k < kTerms ? task.terms - k : kTerms;
    pack(task, lines + k * task.line_step, terms, columns, packed);
    for (int i = 0; i < task.outputs; i += kTall) {
      const int tall = task.outputs - i < kTall ? task.outputs - i : kTall;
      const float* from = k ? out + i * task.out_step : base ? base + i * task.base_step : nullptr;
      add_terms<subtract>(tall, task.weights + std::ptrdiff_t(i) * task.terms + k, task.terms, packed, terms, columns, from,
                          k ? task.out_step : task.base_step, out + i * task.out_step, task.out_step);
    }
  }
}

}  // namespace

int count_tiles(const Weighing& task) { return task.rows * ((task.columns + kTile - 1) / kTile); }

void weigh_tile(const Weighing& task, int tile) {
  const int across = (task.columns + kTile - 1) / kTile;
  const int row = tile / across, first = tile % across * kTile;
  task.base ? weigh_columns<true>(task, row, first) : weigh_columns<false>(task, row, first);
}

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
