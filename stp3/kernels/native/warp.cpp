// Compiled once for each instruction set: the compiler makes vectors of the loop where the set can gather.
#include "warp.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

void warp(const WarpPass& p) {
  const int step = int(p.row_stride), below = p.rows > 1 ? step : 0, right = p.columns > 1, columns = p.columns;
  for (int i = 0; i < p.count; i++)
    for (int r = 0; r < p.rows; r++) {
      const std::ptrdiff_t line = std::ptrdiff_t(r) * columns;
      const float *__restrict frame = p.frames + i * p.frame_stride, *__restrict down = p.down + line, *__restrict across = p.across + line;
      const int *__restrict row = p.row + line, *__restrict column = p.column + line;
      float* __restrict to = p.out + i * p.out_frame_stride + r * p.out_row_stride;
      for (int c = 0; c < columns; c++) {
        const int at = row[c] * step + column[c];
        const float upper = frame[at] * (1 - across[c]) + frame[at + right] * across[c];
        const float lower = frame[at + below] * (1 - across[c]) + frame[at + below + right] * across[c];
        to[c] = upper * (1 - down[c]) + lower * down[c];
      }
    }
}

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
