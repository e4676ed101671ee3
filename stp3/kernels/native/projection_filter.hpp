// Fourier filters over projections: along the columns a product of spectra, as many lines at once as a vector has lanes;
// across the rows a short symmetric kernel for each frequency, as many frequencies at once. A projection's spectra stay
// in the cache. Rows and columns beyond the detector are those at its edge.
#pragma once

#include <cstddef>

#include "instructions.hpp"
#include "plan.hpp"

namespace stp3 {

// What is filtered: strides in floats, columns side by side. `out` may be the projections themselves.
struct ProjectionFilter {
  const float* projections;
  std::ptrdiff_t angle_stride, row_stride;
  int angles, rows, columns;
  float* out;  // holds the rows [first, last)
  std::ptrdiff_t out_angle_stride, out_row_stride;
  int first, last;
  const float* taps;   // taps[n * taps_stride + frequency]: weight of the rows n above and n below
  std::size_t taps_stride;  // frequencies, filled up with zeros to whole vectors
  const int* lengths;  // of each frequency's kernel
  int reach;
  const RealFftPlan* plan;
};

constexpr int kMostLanes = 16;

// Floats of working memory for one thread; `room` below must begin a cache line.
STP3_FOR_EACH_INSTRUCTION_SET(std::size_t filter_room(const ProjectionFilter& filter))
STP3_FOR_EACH_INSTRUCTION_SET(int filter_batches(const ProjectionFilter& filter))
// The projections of one batch: as many as fill the lanes well.
STP3_FOR_EACH_INSTRUCTION_SET(void filter_batch(const ProjectionFilter& filter, int batch, float* room))

}  // namespace stp3
