// Filtered back-projection by gridding (O'Sullivan, IEEE Trans. Med. Imaging 4:200, 1985) of as many slices as a vector
// has lanes. The geometry is the same for all of them: no lane ever waits for another.
#pragma once

#include <vector>

#include "memory.hpp"
#include "sinogram_rows.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

template <int L>
class ManySlices {
  using V = typename Lanes<L>::vector;
  using C = Complex<V>;

 public:
  ManySlices(const GriddingPlan& plan, int members)
      : plan_(plan), members_(members), turn_angles_(kAngles * members),
        work_room_(2 * std::size_t(std::max(plan.geometry.padded, plan.geometry.grid)) + kApart),
        tile_room_(std::size_t(kTile) * (plan.geometry.columns + 1)),
        grid_(sizeof(C) * plan.width * plan.height), spectra_(sizeof(C) * turn_angles_ * plan.bins_room),
        work_(sizeof(C) * work_room_ * members), tiles_(sizeof(V) * tile_room_ * members),
        factors_(sizeof(float) * plan.bins_room * 2 * (L + members)) {}

  int members() const { return members_; }
  std::size_t bytes() const {
    return grid_.bytes() + spectra_.bytes() + work_.bytes() + tiles_.bytes() + factors_.bytes();
  }

  void run(const Batch& batch, int first, Team& team, int member) {
    const GriddingPlan& p = plan_;
    team.each(p.height, [&](int v) { std::memset(static_cast<void*>(grid() + std::size_t(v) * p.width), 0, sizeof(C) * p.width); });
    team.each(lanes_used(batch, first), [&](int s) {
      if (s == 0 || batch.axes[first + s] != batch.axes[first])
        axis_factors(p, batch.response, batch.axes[first + s], axis_factor(s));
    });
    for (int a0 = 0; a0 < p.geometry.angles; a0 += turn_angles_) {
      const int a1 = std::min(a0 + turn_angles_, p.geometry.angles);
      team.each(a1 - a0, [&](int a) { spectrum(batch, first, a0 + a, spectrum_of(a), member); });
      const int rows = team.members() == 1 ? p.height : kBandRows;
      team.each((p.height + rows - 1) / rows, [&](int band) { add(a0, a1, band * rows, std::min(p.height, (band + 1) * rows)); });
    }
    team.each(1, [&](int) { fold(p, grid()); });
    team.each(p.geometry.grid / 2 + 1, [&](int v) { across(v, member); });
    team.each((p.geometry.columns + kTile - 1) / kTile, [&](int tile) { down(batch, first, tile * kTile, member); });
    finish_streams();
  }

 private:
  static constexpr int kTile = 512 / L > 32 ? 32 : 512 / L;  // columns of the picture turned back into slices together
  static constexpr int kBandRows = 16;
  static constexpr int kPrefetch = 12;
  static constexpr int kApart = 2048 / sizeof(C);  // so that loads do not look like the last stores, half a page off

  C* grid() const { return grid_.as<C>(); }
  C* work(int member) const { return work_.as<C>() + work_room_ * member; }
  C* spectrum_of(int a) const { return spectra_.as<C>() + std::size_t(a) * plan_.bins_room; }
  float* axis_factor(int s) const { return factors_.as<float>() + std::size_t(2) * plan_.bins_room * s; }
  static int lanes_used(const Batch& batch, int first) { return std::min(L, batch.slices - first); }

  // The filtered spectrum of one angle, seen from the rotation axis.
  void spectrum(const Batch& batch, int first, int a, C* out, int member) {
    const float* lines[L];
    for (int s = 0; s < L; s++)
      lines[s] = batch.sinograms + std::min(first + s, batch.slices - 1) * batch.slice_stride + a * batch.angle_stride;
    C* x = work(member);
    load_rows<L>(plan_, lines, reinterpret_cast<V*>(x));
    const C* z = transform<false>(plan_.rows.half, x, x + plan_.geometry.padded / 2 + kApart);
    const bool mirrored = plan_.geometry.sines[a] > 0;
    const float *lane_axes[L], *one_axis = axis_factor(0);
    bool same = true;
    for (int s = 0; s < L; s++) {
      const int slice = std::min(first + s, batch.slices - 1);
      const bool like_first = batch.axes[slice] == batch.axes[first];
      lane_axes[s] = axis_factor(like_first ? 0 : slice - first);
      same &= like_first;
    }
    float* angle = axis_factor(L + member);
    const int room = plan_.bins_room;
    for (int k = 0; k < room; k += L) {
      C factor = angle_factor<L>(plan_, a, k);
      if (same) factor = times(C{load<L>(one_axis + k), load<L>(one_axis + room + k)}, factor);
      store<L>(angle + k, factor.r);
      store<L>(angle + room + k, factor.i);
    }
    for (int k = 0; k < plan_.bins; k++) {
      C factor = {splat<V>(angle[k]), splat<V>(angle[room + k])};
      if (!same) {
        C axis;
        for (int s = 0; s < L; s++) {
          axis.r[s] = lane_axes[s][k];
          axis.i[s] = lane_axes[s][room + k];
        }
        factor = times(axis, factor);
      }
      const C value = times(real_bin(plan_.rows, z, k), factor);
      out[k] = {value.r, mirrored ? -value.i : value.i};
    }
  }

  void add(int a0, int a1, int top, int bottom) {
    const float* const window = plan_.window.data();
    C* const grid_start = grid();
    const std::size_t width = plan_.width;
    const auto add_row = [](C* at, C value, V weight, const float* wu) {
      const V r = value.r * weight, im = value.i * weight;
#pragma GCC unroll 4
      for (int m = 0; m < kWidth; m++) {
        at[m].r = mul_add(r, splat<V>(wu[m]), at[m].r);
        at[m].i = mul_add(im, splat<V>(wu[m]), at[m].i);
      }
    };
    scatter(plan_, a0, a1, top, bottom, kPrefetch,
            [&](int a, int k0, const Places& places, int begin, int end, int first, int last) {
              const Leading leading(Ray(plan_, a), width);
              const C* values = spectrum_of(a - a0) + k0;
              for (int i = begin; i < end; i++) {
                leading.prefetch(grid_start + places.cell[i + kPrefetch]);
                const float *wu = window + places.u[i], *wv = window + places.v[i];
                C* cell = grid_start + places.cell[i];
                if (first == 0 && last == kWidth) {
#pragma GCC unroll 4
                  for (int j = 0; j < kWidth; j++) add_row(cell + j * width, values[i], splat<V>(wv[j]), wu);
                } else {
                  for (int j = first; j < last; j++) add_row(cell + j * width, values[i], splat<V>(wv[j]), wu);
                }
              }
            });
  }

  // The cells that a later sample will be the first to touch: the next row of its window, or the next column.
  struct Leading {
    Leading(const Ray& ray, std::size_t width)
        : start(ray.is_steep() ? (kWidth - 1) * width : ray.across > 0 ? kWidth - 1 : 0),
          next(ray.is_steep() ? 1 : width) {}
    void prefetch(const C* cell) const {
      const C* at = cell + start;
#pragma GCC unroll 4
      for (int j = 0; j < kWidth; j++, at += next) {
        __builtin_prefetch(at, 1);
        if (sizeof(C) > 64) __builtin_prefetch(reinterpret_cast<const char*>(at) + 64, 1);
      }
    }
    std::size_t start, next;
  };

  void across(int v, int member) {
    C* row = grid() + std::size_t(v + kMargin) * plan_.width + kMargin;
    const C* result = transform<true>(plan_.across, row, work(member));
    if (result != row) std::memcpy(static_cast<void*>(row), result, sizeof(C) * plan_.geometry.grid);
  }

  // Columns of the picture: the last transform, the window's own shape divided out, and lanes turned back into slices.
  void down(const Batch& batch, int first, int x0, int member) {
    const int n = plan_.geometry.columns, side = plan_.geometry.grid, h = side / 2, count = std::min(kTile, n - x0);
    const float* shape = plan_.apodisation.data();
    V* tile = tiles_.as<V>() + tile_room_ * member;
    for (int x = 0; x < count; x++) {
      gather(grid() + std::size_t(kMargin) * plan_.width + kMargin + wrapped(x0 + x, n, side), h, work(member));
      const V* values = reinterpret_cast<const V*>(transform<true>(plan_.down.half, work(member), work(member) + h + kApart));
      const float sign = (x0 + x - n / 2) % 2 ? -shape[x0 + x] : shape[x0 + x];  // u = 0 lies in the middle of the grid
      V* column = tile + std::size_t(x) * (n + 1);
      for (int y = 0; y < n; y++) column[y] = values[wrapped(y, n, side)] * splat<V>(sign * shape[y]);
    }
    put(batch, first, x0, count, tile);
  }

  void gather(const C* column, int h, C* out) {
    const auto prefetch_both = [](const C* at) {
      __builtin_prefetch(at);
      if (sizeof(C) > 64) __builtin_prefetch(reinterpret_cast<const char*>(at) + 64);
    };
    const std::size_t width = plan_.width;
    for (int k = 0; k <= h - k; k++) {
      const C a = column[k * width], b = column[(h - k) * width];
      prefetch_both(column + (k + kPrefetch) * width);
      prefetch_both(column + (h - k - std::min(kPrefetch, h - k)) * width);
      out[k] = half_entry(plan_.down, a, b, k);
      if (k > 0) out[h - k] = half_entry(plan_.down, b, a, h - k);
    }
  }

  void put(const Batch& batch, int first, int x0, int count, const V* tile) {
    const std::size_t n = plan_.geometry.columns, picture = n * n;
    const int slices = lanes_used(batch, first), whole = count / L * L;
    float* out = batch.out + first * picture + x0;
    const bool aligned = reinterpret_cast<std::size_t>(out) % sizeof(V) == 0 && n % L == 0;
    for (std::size_t y = 0; y < n; y++)
      for (int x = 0; x < whole; x += L) {
        V block[L];
        for (int i = 0; i < L; i++) block[i] = tile[(x + i) * (n + 1) + y];
        transpose<L>(block);
        float* at = out + y * n + x;
        if (aligned)
          for (int s = 0; s < slices; s++) stream(at + s * picture, block[s]);
        else
          for (int s = 0; s < slices; s++) store<L>(at + s * picture, block[s]);
      }
    for (int x = whole; x < count; x++)
      for (std::size_t y = 0; y < n; y++)
        for (int s = 0; s < slices; s++) out[s * picture + y * n + x] = tile[x * (n + 1) + y][s];
  }

  const GriddingPlan& plan_;
  const int members_, turn_angles_;
  const std::size_t work_room_, tile_room_;
  Pages grid_, spectra_, work_, tiles_, factors_;
};

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
