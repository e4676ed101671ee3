// Sinogram rows on their way to the grid: loaded, continued beyond the detector, transformed, filtered, placed.
#pragma once

#include <algorithm>
#include <cmath>

#include "fft.hpp"
#include "gridder.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

// L lines of floats, one a lane, into `row` (room for the padded length), continued to the right and around the end to
// the left.
template <int L>
inline void load_rows(const GriddingPlan& plan, const float* const* lines, typename Lanes<L>::vector* row) {
  const int n = plan.geometry.columns, padded = plan.geometry.padded, middle = (n + padded) / 2;
  int i = 0;
  for (; i + L <= n; i += L) {
    typename Lanes<L>::vector block[L];
    for (int s = 0; s < L; s++) block[s] = load<L>(lines[s] + i);
    transpose<L>(block);
    for (int s = 0; s < L; s++) row[i + s] = block[s];
  }
  for (; i < n; i++)
    for (int s = 0; s < L; s++) row[i][s] = lines[s][i];
  const auto zero = splat<typename Lanes<L>::vector>(0.f);
  const auto right = plan.geometry.edge ? row[n - 1] : zero, left = plan.geometry.edge ? row[0] : zero;
  for (i = n; i < middle; i++) row[i] = right;
  for (; i < padded; i++) row[i] = left;
}

// Response of the filter at each frequency times the move that brings the rotation axis to the origin; real parts,
// then imaginary parts, bins_room each.
inline void axis_factors(const GriddingPlan& plan, const float* response, double axis, float* out) {
  const double turn = 2 * 3.14159265358979323846 / plan.geometry.padded * axis;
  for (int k = 0; k < plan.bins_room; k++) {
    const bool exists = k < plan.bins;
    out[k] = exists ? float(response[k] * std::cos(turn * k)) : 0.f;
    out[plan.bins_room + k] = exists ? float(response[k] * std::sin(turn * k)) : 0.f;
  }
}

// Weight of the angle and move of the picture at L frequencies from k, a multiple of L.
template <int L>
inline Complex<typename Lanes<L>::vector> angle_factor(const GriddingPlan& plan, int angle, int k) {
  using V = typename Lanes<L>::vector;
  const std::size_t turns = plan.bins_room / kBins, turn = k / kBins;
  const float* fine = plan.fine.data() + std::size_t(angle) * 2 * kBins + k % kBins;
  const float* coarse = plan.coarse.data() + angle * 2 * turns + turn;
  return times(Complex<V>{load<L>(fine), load<L>(fine + kBins)},
               Complex<V>{splat<V>(coarse[0]), splat<V>(coarse[turns])});
}

// Where the samples of one angle fall; the grid holds the half plane that points down in the slice.
struct Ray {
  Ray(const GriddingPlan& plan, int angle) : mirrored(plan.geometry.sines[angle] > 0) {
    const double cosine = plan.geometry.cosines[angle], padded = plan.geometry.padded;
    across = plan.geometry.across / padded * (mirrored ? -cosine : cosine);
    down = plan.geometry.down / padded * std::fabs(plan.geometry.sines[angle]);
  }
  bool is_steep() const { return down > std::fabs(across); }
  bool mirrored;
  double across, down;  // cells from one frequency to the next
};

// The first cell that each of some neighbouring samples of an angle reaches, and which weights apply.
struct Places {
  int angle, frequency, count;  // of the first sample
  alignas(64) int row[kBins], cell[kBins], u[kBins], v[kBins];

  void find(const GriddingPlan& plan, int of_angle, int first, int samples) {
    angle = of_angle;
    frequency = first;
    count = samples;
    const Ray ray(plan, angle);
    const double across = ray.across * kSteps, down = ray.down * kSteps;
    const int shift = std::max(plan.geometry.across, plan.geometry.down) * kSteps;  // makes all positive, so that truncation rounds
    const double bias = shift + 0.5;
    const int offset = kMargin + plan.geometry.across / 2, width = plan.width, reach = kWidth / 2 * kSteps;
    for (int i = 0; i < count; i++) {
      const int x = int((first + i) * across + bias) - shift, y = int((first + i) * down + bias) - shift;
      const int iu = (x - reach + kSteps - 1) >> 11, iv = (y - reach + kSteps - 1) >> 11;
      u[i] = (iu * kSteps - x + reach) * kWidth;
      v[i] = (iv * kSteps - y + reach) * kWidth;
      row[i] = iv + kMargin;
      cell[i] = (iv + kMargin) * width + iu + offset;
    }
  }
};
static_assert(kSteps == 1 << 11, "the shifts above divide by it");

// Calls add(places, next, begin, end, first, last) for the samples as far as they touch the rows [top, bottom), with the
// window's rows to be added. Rows never go back: only samples at both ends can reach beyond the band.
template <class Add>
inline void add_within(const Places& places, const Places& next, int top, int bottom, Add&& add) {
  int whole = 0, rest = places.count;
  while (whole < rest && places.row[whole] < top) whole++;
  while (rest > whole && places.row[rest - 1] + kWidth > bottom) rest--;
  const auto part = [&](int i) {
    const int first = std::max(0, top - places.row[i]), last = std::min(kWidth, bottom - places.row[i]);
    if (first < last) add(places, next, i, i + 1, first, last);
  };
  for (int i = 0; i < whole; i++) part(i);
  if (whole < rest) add(places, next, whole, rest, 0, kWidth);
  for (int i = rest; i < places.count; i++) part(i);
}

// Adds the samples of the angles [a0, a1) as far as they touch the grid's rows [top, bottom), in the order that all sums
// follow: kAngles angles in turns of kBins frequencies. `next` in add_within are the places that come after these.
template <class Add>
inline void scatter(const GriddingPlan& plan, int a0, int a1, int top, int bottom, Add&& add) {
  Places both[2];
  int found = 0;
  for (int turn = a0; turn < a1; turn += kAngles) {
    int begin[kAngles], end[kAngles], least = plan.bins, most = 0;
    const int angles = std::min(kAngles, a1 - turn);
    for (int a = 0; a < angles; a++) {
      const Ray ray(plan, turn + a);
      const double down = ray.down + 1e-30, from = (top - kWidth - 2) / down, to = bottom / down + 2;
      begin[a] = top <= 0 || from < 0 ? 0 : from < plan.bins ? int(from) : plan.bins;
      end[a] = bottom >= plan.height || to > plan.bins ? plan.bins : int(to);
      least = std::min(least, begin[a]);
      most = std::max(most, end[a]);
    }
    for (int block = least / kBins * kBins; block < most; block += kBins)
      for (int a = 0; a < angles; a++) {
        const int k0 = std::max(block, begin[a]), k1 = std::min(block + kBins, end[a]);
        if (k0 >= k1) continue;
        Places &last = both[(found + 1) & 1], &now = both[found & 1];
        now.find(plan, turn + a, k0, k1 - k0);
        if (found++) add_within(last, now, top, bottom, add);
      }
  }
  const Places& last = both[(found + 1) & 1];
  if (found) add_within(last, last, top, bottom, add);
}

// What fell on the margins belongs to the other side, or to the other half of the plane as its conjugate.
template <class V>
void fold(const GriddingPlan& plan, Complex<V>* grid) {
  const int n = plan.geometry.across, half = plan.geometry.down / 2, width = plan.width;
  for (int v = 0; v < plan.height; v++) {
    Complex<V>* row = grid + std::size_t(v) * width;
    for (int m = 0; m < kMargin; m++) {
      row[n + m] = row[n + m] + row[m];
      row[kMargin + m] = row[kMargin + m] + row[kMargin + n + m];
    }
  }
  const auto at = [&](int u, int v) -> Complex<V>& {
    return grid[std::size_t(v + kMargin) * width + kMargin + (u == n / 2 ? 0 : u + n / 2)];
  };
  for (int m = 1; m < kMargin; m++)
    for (int u = -n / 2; u < n / 2; u++) {
      Complex<V>&near = at(-u, m), &above = at(u, -m), &far = at(-u, half - m), &below = at(u, half + m);
      near = {near.r + above.r, near.i - above.i};
      far = {far.r + below.r, far.i - below.i};
    }
  for (int v = 0; v <= half; v += half)
    for (int u = -n / 2; u <= 0; u++) {
      Complex<V>&x = at(u, v), &y = at(-u, v);
      const Complex<V> a = x, b = y;
      x = {a.r + b.r, a.i - b.i};
      y = {b.r + a.r, b.i - a.i};
    }
}

// Columns of the picture lie at both ends of a transform: -n / 2 first.
inline int wrapped(int position, int count, int side) {
  const int from_middle = position - count / 2;
  return from_middle < 0 ? from_middle + side : from_middle;
}

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
