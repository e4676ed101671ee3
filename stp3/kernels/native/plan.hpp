// All that a reconstruction needs and that depends on neither the pictures nor the instruction set.
#pragma once

#include <cstddef>
#include <vector>

namespace stp3 {

constexpr int kWidth = 4;      // of the window, in cells of the grid
constexpr double kLeast = 1.25, kMost = 2;  // oversampling of the grid; the window's shape is best between them
constexpr int kMargin = 3;     // cells around the grid that catch windows crossing its edge
constexpr int kSteps = 2048;   // of the tabulated window between two cells
constexpr int kAngles = 32;    // whose samples are added to the grid in turns ...
constexpr int kBins = 64;      // ... of this many frequencies; the order of all sums follows from these two

// One pass of a transform.
struct Stage {
  int radix;
  std::size_t count;     // butterflies that differ by their twiddles
  std::size_t stride;    // butterflies that share them
  std::size_t twiddles;  // where they start
};

// A complex transform of a length without factors other than 2, 3 and 5; twiddles are those of the forward one.
struct FftPlan {
  explicit FftPlan(int length);
  int length;
  std::vector<Stage> stages;
  std::vector<float> twiddles;  // real and imaginary parts in turn
};

// Transforms of real signals of even length n through complex ones of n / 2.
struct RealFftPlan {
  explicit RealFftPlan(int length);
  FftPlan half;
  std::vector<float> turns;  // exp(-2 pi i k / n), k = 0 ... n / 2
};

bool is_smooth(int length);

// A picture of `wide` x `tall` pixels; its pixel (wide / 2, tall / 2) lies at (x, y) from the rotation axis, y upwards.
struct Geometry {
  int columns, angles, padded;
  int wide, tall;
  int across, down;  // sides of the grid that the picture is the transform of
  double x, y;
  bool edge;  // sinograms continue with their edge columns, not with zero
  std::vector<double> cosines, sines, weights;
};

struct GriddingPlan {
  explicit GriddingPlan(Geometry geometry);
  const float* weights_v() const;

  Geometry geometry;
  RealFftPlan rows;    // of sinograms
  FftPlan across;      // of the grid's rows
  RealFftPlan down;    // of the grid's columns
  int bins;            // frequencies of a sinogram row
  int bins_room;       // the same, rounded up to whole turns
  int width, height;   // of the grid with its margins; rows have room for eight cells more, a multiple of eight
  std::vector<float> window_u, window_v;  // kWidth weights for each step; the second is empty when alike
  std::vector<float> shade_x, shade_y;  // 1 / the window's transform at each column and row of the picture
  // Weight of each angle times the move that brings (x, y) to the origin: fine[k % kBins] * coarse[k / kBins], real
  // parts then imaginary parts.
  std::vector<float> fine, coarse;
};

}  // namespace stp3
