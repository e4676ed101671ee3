#include "plan.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <utility>

namespace stp3 {
namespace {

constexpr double kPi = 3.14159265358979323846;

// Modified Bessel function of order 0 by its power series; arguments here stay below 12.
double bessel_i0(double x) {
  double term = 1, sum = 1;
  for (int k = 1; term > 1e-17 * sum; k++) sum += term *= x * x / (4.0 * k * k);
  return sum;
}

// Kaiser-Bessel: Jackson et al., IEEE Trans. Med. Imaging 10:473 (1991); shape: Beatty et al., ibid. 24:799 (2005).
struct Window {
  Window(int pixels, int side) {
    const double oversampling = std::fmin(std::fmax(double(side) / std::max(pixels, 8), kLeast), kMost);
    const double ratio = kWidth / oversampling;
    shape = kPi * std::sqrt(ratio * ratio * (oversampling - 0.5) * (oversampling - 0.5) - 0.8);
  }
  double operator()(double distance) const {
    const double inside = 1 - 4 * distance * distance / (kWidth * kWidth);
    return inside < -1e-12 ? 0 : bessel_i0(shape * std::sqrt(std::fmax(inside, 0))) / bessel_i0(shape);
  }
  std::vector<float> table() const {
    std::vector<float> weights;
    for (int step = 0; step <= kSteps; step++)
      for (int j = 0; j < kWidth; j++) weights.push_back(float((*this)(j + double(step) / kSteps - kWidth / 2)));
    return weights;
  }
  // 1 / the transform at each of `count` pixels around the middle, on a grid of that side.
  std::vector<float> shade(int count, int side) const {
    constexpr int steps = 256;
    std::vector<double> weights(steps);
    std::vector<float> shades;
    const auto offset = [&](int q) { return ((q + 0.5) / steps - 0.5) * kWidth; };
    for (int q = 0; q < steps; q++) weights[q] = (*this)(offset(q)) * kWidth / steps;
    for (int x = 0; x < count; x++) {
      double sum = 0;
      for (int q = 0; q < steps; q++) sum += weights[q] * std::cos(2 * kPi * (x - count / 2) / side * offset(q));
      shades.push_back(float(1 / sum));
    }
    return shades;
  }
  double shape;
};

}  // namespace

const float* GriddingPlan::weights_v() const { return window_v.empty() ? window_u.data() : window_v.data(); }

bool is_smooth(int length) {
  for (int factor : {2, 3, 5})
    while (length > 1 && length % factor == 0) length /= factor;
  return length == 1;
}

FftPlan::FftPlan(int length) : length(length) {
  std::size_t rest = length, stride = 1;
  const auto add = [&](int radix) {
    rest /= radix;
    stages.push_back({radix, rest, stride, twiddles.size()});
    for (std::size_t p = 0; p < rest; p++)
      for (int k = 1; k < radix; k++) {
        const double angle = -2 * kPi * double(p * k % (rest * radix)) / double(rest * radix);
        twiddles.push_back(float(std::cos(angle)));
        twiddles.push_back(float(std::sin(angle)));
      }
    stride *= radix;
  };
  for (int radix : {5, 3})
    while (rest % radix == 0) add(radix);
  while (rest % 8 == 0 && rest != 16) add(8);  // 16 = 4 * 4
  for (int radix : {4, 2})
    while (rest % radix == 0) add(radix);
}

RealFftPlan::RealFftPlan(int length) : half(length / 2) {
  for (int k = 0; k <= length / 2; k++) {
    turns.push_back(float(std::cos(2 * kPi * k / length)));
    turns.push_back(float(-std::sin(2 * kPi * k / length)));
  }
}

GriddingPlan::GriddingPlan(Geometry given)
    : geometry(std::move(given)), rows(geometry.padded), across(geometry.across), down(geometry.down),
      bins(geometry.padded / 2 + 1), bins_room((bins + kBins - 1) / kBins * kBins),
      width((geometry.across + 2 * kMargin + 15) / 8 * 8), height(geometry.down / 2 + 1 + 2 * kMargin) {
  const Window u(geometry.wide, geometry.across), v(geometry.tall, geometry.down);
  window_u = u.table();
  window_v = u.shape == v.shape ? std::vector<float>() : v.table();  // one table is easier on the cache
  shade_x = u.shade(geometry.wide, geometry.across);
  shade_y = v.shade(geometry.tall, geometry.down);

  const int coarse_steps = bins_room / kBins;
  fine.resize(std::size_t(geometry.angles) * 2 * kBins);
  coarse.resize(std::size_t(geometry.angles) * 2 * coarse_steps);
  for (int a = 0; a < geometry.angles; a++) {
    const double turn = 2 * kPi / geometry.padded * (geometry.x * geometry.cosines[a] + geometry.y * geometry.sines[a]);
    for (int k = 0; k < kBins; k++) {
      const auto factor = std::polar(geometry.weights[a], turn * k);
      fine[(std::size_t(a) * 2) * kBins + k] = float(factor.real());
      fine[(std::size_t(a) * 2 + 1) * kBins + k] = float(factor.imag());
    }
    for (int b = 0; b < coarse_steps; b++) {
      const auto factor = std::polar(1.0, turn * b * kBins);
      coarse[(std::size_t(a) * 2) * coarse_steps + b] = float(factor.real());
      coarse[(std::size_t(a) * 2 + 1) * coarse_steps + b] = float(factor.imag());
    }
  }
}

}  // namespace stp3
