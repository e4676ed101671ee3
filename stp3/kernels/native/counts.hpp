// From the detector's counts to transmission or line integrals, in one pass over memory.
#pragma once

#include <cstddef>
#include <string>

namespace stp3 {

enum class CountType { u8, u16, i16, u32, i32, f32, f64 };

// One pass over (angles, rows, columns); strides in elements, columns side by side. `out` may be the counts themselves.
struct CountsPass {
  const void* counts;
  CountType type;
  std::ptrdiff_t angle_stride, row_stride;
  int angles, rows, columns;
  float* out;
  std::ptrdiff_t out_angle_stride, out_row_stride;

  bool open_beam;       // values that are not finite become 1
  int flats;            // 0: the counts are transmission already
  const float* dark;    // (rows, columns)
  const float* flat;    // of 1 flat 1 / (flat - dark), NaN where that is no beam; of more (flats, rows, columns) flat - dark
  const int* earlier;   // for each angle: between which flat and the next it lies,
  const float* later;   // and the share of the next one
  const float* air;     // (angles, rows, 2): what open beam is at the first and the last column; null: 1
  int window;           // of the median that replaces outliers: 3, 5 or 7 pixels wide; 1: none
  float threshold;      // how far from it a value may be
  float floor;          // at least the least normal float: the result is -ln of no less; 0: no logarithm
  bool stream;          // past the cache, for results larger than it
};

constexpr int kProjectionsTogether = 4;  // share what one thread reads of the flats

// All angles by that many threads.
void run(const CountsPass& pass, int threads, const std::string& instructions);

}  // namespace stp3
