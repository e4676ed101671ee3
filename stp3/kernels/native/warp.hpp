// Frames read at other places, the same in all of them, straight between four neighbours.
#pragma once

#include <cstddef>

#include "instructions.hpp"

namespace stp3 {

// Strides in floats, columns side by side. Output pixel i, of rows x columns, lies `down` (0 to 1) below and `across`
// right of input pixel (row[i], column[i]), which has neighbours there unless the frames have one row or column only.
struct WarpPass {
  const float* frames;
  std::ptrdiff_t frame_stride, row_stride;
  int count, rows, columns;
  float* out;
  std::ptrdiff_t out_frame_stride, out_row_stride;
  const int *row, *column;
  const float *down, *across;
};

STP3_FOR_EACH_INSTRUCTION_SET(void warp(const WarpPass& pass))

}  // namespace stp3
