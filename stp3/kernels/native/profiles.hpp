// Weighted sums of the lines of a slab, and slabs less weighted lines: products of a small matrix with many columns.
#pragma once

#include <cstddef>

#include "instructions.hpp"

namespace stp3 {

// out[i, row, column] = sum over k of weights[i, k] * lines[k, row, column], or base less that where there is a base.
// Neighbouring columns lie side by side everywhere; `out` may be `base`.
struct Weighing {
  const float* weights;  // [outputs, terms]
  int outputs, terms, rows, columns;
  const float* lines;
  std::ptrdiff_t line_step, line_row;  // floats from one k, one row to the next
  const float* base;                   // or null
  std::ptrdiff_t base_step, base_row;
  float* out;
  std::ptrdiff_t out_step, out_row;
};

STP3_FOR_EACH_INSTRUCTION_SET(int count_tiles(const Weighing& task))
STP3_FOR_EACH_INSTRUCTION_SET(void weigh_tile(const Weighing& task, int tile))

}  // namespace stp3
