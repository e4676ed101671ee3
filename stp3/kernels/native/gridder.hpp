// What every instruction set offers, and the choice among them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "plan.hpp"
#include "team.hpp"

namespace stp3 {

// What is reconstructed: sinograms with their strides in floats, into contiguous slices.
struct Batch {
  const float* sinograms;
  std::ptrdiff_t slice_stride, angle_stride;
  int slices;
  const float* response;  // of the filter at each frequency, the scale of the inverse transforms included
  const double* axes;     // rotation axis of each slice
  float* out;
};

// Working memory and arithmetic of one plan. A slice has the same bits through one() and through many().
class Gridder {
 public:
  virtual ~Gridder() = default;
  virtual int lanes() const = 0;
  // For one() and for many() on that many grids: the first for `members` threads, the others for `of_others`. Throws
  // std::bad_alloc.
  virtual void make_room(int members, bool one, int grids, int of_others) = 0;
  virtual std::size_t bytes() const = 0;
  // Up to lanes() slices beginning with `first`; called by each member of the team.
  virtual void many(int grid, const Batch& batch, int first, Team& team, int member) = 0;
  virtual void one(const Batch& batch, int slice, Team& team, int member) = 0;
  // `count` signals in place, for tests of the transform alone.
  virtual void fft(float* signals, int count, const FftPlan& plan, bool inverse) = 0;
};

std::unique_ptr<Gridder> make_gridder(const GriddingPlan& plan, const std::string& instructions);

constexpr int kMostGrids = 64;

// All slices of the batch, by that many threads. On several grids, threads need not wait for each other.
void reconstruct(Gridder& gridder, const Batch& batch, int threads, int grids);

}  // namespace stp3
