// Filtered back-projection by gridding (O'Sullivan, IEEE Trans. Med. Imaging 4:200, 1985) of as many slices as a vector
// has lanes. The geometry is the same for all of them: no lane ever waits for another.
#pragma once

#include <vector>

#include "memory.hpp"
#include "ray_sums.hpp"
#include "sinogram_rows.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

template <int L>
class ManySlices {
  using V = typename Lanes<L>::vector;
  using C = Complex<V>;

 public:
  ManySlices(const GriddingPlan& plan, int members)
      : plan_(plan), members_(members),
        work_room_(std::max(2 * std::size_t(std::max(plan.geometry.padded, plan.geometry.across)) + kApart,
                            (kTogether + 1) * std::size_t(plan.geometry.down / 2 + kApart))),
        tile_room_(std::size_t(kTile) * (plan.geometry.tall + 1)),
        grid_(sizeof(C) * plan.width * plan.height), spectra_(sizeof(C) * kAngles * members * plan.bins_room),
        work_(sizeof(C) * work_room_ * members), tiles_(sizeof(V) * tile_room_ * members),
        factors_(sizeof(float) * plan.bins_room * 2 * (L + members)), lane_factors_(sizeof(C) * plan.bins_room) {}

  int members() const { return members_; }
  std::size_t bytes() const {
    return grid_.bytes() + spectra_.bytes() + work_.bytes() + tiles_.bytes() + factors_.bytes() +
           lane_factors_.bytes();
  }

  void run(const Batch& batch, int first, Team& team, int member) {
    const GriddingPlan& p = plan_;
    team.each(p.height, [&](int v) { std::memset(static_cast<void*>(grid() + std::size_t(v) * p.width), 0, sizeof(C) * p.width); });
    team.each(lanes_used(batch, first), [&](int s) {
      if (s == 0 || batch.axes[first + s] != batch.axes[first])
        axis_factors(p, batch.response, batch.axes[first + s], axis_factor(s));
    });
    const bool one_axis = has_one_axis(batch, first);
    if (!one_axis) team.each(p.bins_room / kBins, [&](int bin) { gather_axes(batch, first, bin * kBins); });
    const int turns = kAngles * team.members();
    for (int a0 = 0; a0 < p.geometry.angles; a0 += turns) {
      const int a1 = std::min(a0 + turns, p.geometry.angles);
      team.each(a1 - a0, [&](int a) { spectrum(batch, first, a0 + a, one_axis, spectrum_of(a), member); });
      const int rows = team.members() == 1 ? p.height : kBandRows;
      team.each((p.height + rows - 1) / rows, [&](int band) { add(a0, a1, band * rows, std::min(p.height, (band + 1) * rows)); });
    }
    team.each(1, [&](int) { fold(p, grid()); });
    team.each(p.geometry.down / 2 + 1, [&](int v) { across(v, member); });
    team.each((p.geometry.wide + kTile - 1) / kTile, [&](int tile) { down(batch, first, tile * kTile, member); });
    finish_streams();
  }

 private:
  static constexpr int kTile = 512 / L > 32 ? 32 : 512 / L;  // columns of the picture turned back into slices together
  static constexpr int kLine = 16;             // floats of a cache line, which goes to memory whole
  static constexpr int kTogether = 32 / L;  // columns that are read from the grid together
  static constexpr int kBandRows = 16;
  static constexpr bool kInRegisters = L == 16;  // other instruction sets have half as many
  static constexpr int kPrefetch = 12;  // cells, of a column on its way to the transform
  static constexpr int kApart = 2048 / sizeof(C);  // so that loads do not look like the last stores, half a page off

  C* grid() const { return grid_.as<C>(); }
  C* work(int member) const { return work_.as<C>() + work_room_ * member; }
  C* spectrum_of(int a) const { return spectra_.as<C>() + std::size_t(a) * plan_.bins_room; }
  float* axis_factor(int s) const { return factors_.as<float>() + std::size_t(2) * plan_.bins_room * s; }
  static int lanes_used(const Batch& batch, int first) { return std::min(L, batch.slices - first); }

  static bool has_one_axis(const Batch& batch, int first) {
    for (int s = 1; s < lanes_used(batch, first); s++)
      if (batch.axes[first + s] != batch.axes[first]) return false;
    return true;
  }

  // The factors of slices with axes of their own, lane beside lane.
  void gather_axes(const Batch& batch, int first, int bin) {
    const float* from[L];
    for (int s = 0; s < L; s++) {
      const int slice = std::min(first + s, batch.slices - 1);
      from[s] = axis_factor(batch.axes[slice] == batch.axes[first] ? 0 : slice - first);
    }
    C* out = lane_factors_.as<C>();
    for (int k = bin; k < bin + kBins; k++)
      for (int s = 0; s < L; s++) {
        out[k].r[s] = from[s][k];
        out[k].i[s] = from[s][plan_.bins_room + k];
      }
  }

  // The filtered spectrum of one angle, seen from the rotation axis.
  void spectrum(const Batch& batch, int first, int a, bool one_axis, C* out, int member) {
    const float* lines[L];
    for (int s = 0; s < L; s++)
      lines[s] = batch.sinograms + std::min(first + s, batch.slices - 1) * batch.slice_stride + a * batch.angle_stride;
    C* x = work(member);
    load_rows<L>(plan_, lines, reinterpret_cast<V*>(x));
    const C* z = transform<false>(plan_.rows.half, x, x + plan_.geometry.padded / 2 + kApart);
    const bool mirrored = plan_.geometry.sines[a] > 0;
    const float* axis = axis_factor(0);
    const C* lane_factors = lane_factors_.as<C>();
    float* angle = axis_factor(L + member);
    const int room = plan_.bins_room;
    for (int k = 0; k < room; k += L) {
      C factor = angle_factor<L>(plan_, a, k);
      if (one_axis) factor = times(C{load<L>(axis + k), load<L>(axis + room + k)}, factor);
      store<L>(angle + k, factor.r);
      store<L>(angle + room + k, factor.i);
    }
    for (int k = 0; k < plan_.bins; k++) {
      C factor = {splat<V>(angle[k]), splat<V>(angle[room + k])};
      if (!one_axis) factor = times(lane_factors[k], factor);
      const C value = times(real_bin(plan_.rows, z, k), factor);
      out[k] = {value.r, mirrored ? -value.i : value.i};
    }
  }

  // The cells that the next run of samples will touch: with each step the next row of its windows, or the next column.
  struct Leading {
    Leading(const GriddingPlan& plan, const C* grid, const Places& next) : cell(next.cell), count(next.count) {
      const Ray ray(plan, next.angle);
      edge = grid + (ray.is_steep() ? (kWidth - 1) * plan.width : ray.across > 0 ? kWidth - 1 : 0);
      step = ray.is_steep() ? 1 : plan.width;
    }
    void operator()(int i) const {
      if (i >= count || (i && cell[i] == cell[i - 1])) return;
      const C* at = edge + cell[i];
#pragma GCC unroll 4
      for (int j = 0; j < kWidth; j++, at += step) {
        __builtin_prefetch(at, 1);
        if (sizeof(C) > 64) __builtin_prefetch(reinterpret_cast<const char*>(at) + 64, 1);
      }
    }
    const int *cell, count;
    const C* edge;
    std::size_t step;
  };

  void add(int a0, int a1, int top, int bottom) {
    const float *const window_u = plan_.window_u.data(), *const window_v = plan_.weights_v();
    C* const start = grid();
    const std::size_t width = plan_.width;
    RaySamples samples;
    scatter(plan_, a0, a1, top, bottom, [&](const Places& places, const Places& next, int begin, int end, int first, int last) {
      const C* values = spectrum_of(places.angle - a0) + places.frequency;
      const Leading leading(plan_, start, next);
      if (!kInRegisters || first || last < kWidth) {
        for (int i = begin; i < end; i++) {
          leading(i);
          for (int j = first; j < last; j++)
            add_row(start + places.cell[i] + j * width, values[i], window_v[places.v[i] + j], window_u + places.u[i]);
        }
        return;
      }
      for (int i = begin; i < end; i++) {
        const int at = i - begin, row = places.row[i], column = places.cell[i] - row * int(width);
        samples.row[at] = row;
        samples.column[at] = column;
        rotate(window_u + places.u[i], column, samples.across[at]);
        rotate(window_v + places.v[i], row, samples.down[at]);
      }
      const V* of = reinterpret_cast<const V*>(values + begin);
      V* const plane = reinterpret_cast<V*>(start);  // of real parts; imaginary ones lie between them
      add_ray(samples, end - begin, of, plane, width, leading);
      add_ray(samples, end - begin, of + 1, plane + 1, width, [](int) {});
    });
  }

  static void add_row(C* at, C value, float weight, const float* across) {
    const V r = value.r * splat<V>(weight), i = value.i * splat<V>(weight);
#pragma GCC unroll 4
    for (int m = 0; m < kWidth; m++) {
      at[m].r = mul_add(r, splat<V>(across[m]), at[m].r);
      at[m].i = mul_add(i, splat<V>(across[m]), at[m].i);
    }
  }

  void across(int v, int member) {
    C* row = grid() + std::size_t(v + kMargin) * plan_.width + kMargin;
    const C* result = transform<true>(plan_.across, row, work(member));
    if (result != row) std::memcpy(static_cast<void*>(row), result, sizeof(C) * plan_.geometry.across);
  }

  // Columns of the picture: the last transform, the window's own shape divided out, and lanes turned back into slices.
  void down(const Batch& batch, int first, int x0, int member) {
    const int wide = plan_.geometry.wide, tall = plan_.geometry.tall, side = plan_.geometry.down, h = side / 2;
    const int count = std::min(kTile, wide - x0);
    const float *shade_x = plan_.shade_x.data(), *shade_y = plan_.shade_y.data();
    V* tile = tiles_.as<V>() + tile_room_ * member;
    C* const after = work(member) + kTogether * std::size_t(h + kApart);
    for (int x = 0; x < count; x++) {
      const int together = x % kTogether;
      C* const entries = work(member) + together * std::size_t(h + kApart);
      if (together == 0) gather(x0 + x, std::min(kTogether, count - x), h, entries);
      const V* values = reinterpret_cast<const V*>(transform<true>(plan_.down.half, entries, after));
      const float sign = (x0 + x - wide / 2) % 2 ? -shade_x[x0 + x] : shade_x[x0 + x];  // u = 0 lies in the middle of the grid
      V* column = tile + std::size_t(x) * (tall + 1);
      for (int y = 0; y < tall; y++) column[y] = values[wrapped(y, tall, side)] * splat<V>(sign * shade_y[y]);
    }
    put(batch, first, x0, count, tile);
  }

  // Entries of the transforms of some columns, read side by side: memory is slow in going from row to row.
  void gather(int x0, int count, int h, C* out) {
    const C* columns[kTogether];
    for (int x = 0; x < kTogether; x++)
      columns[x] = grid() + std::size_t(kMargin) * plan_.width + kMargin +
                   wrapped(x0 + std::min(x, count - 1), plan_.geometry.wide, plan_.geometry.across);
    const auto prefetch = [](const C* at) {
      __builtin_prefetch(at);
      if (sizeof(C) > 64) __builtin_prefetch(reinterpret_cast<const char*>(at) + 64);
    };
    const std::size_t width = plan_.width;
    for (int k = 0; k <= h - k; k++) {
      const std::size_t top = k * width, bottom = (h - k) * width;
      const std::size_t later = (k + kPrefetch) * width, earlier = (h - k - std::min(kPrefetch, h - k)) * width;
      for (int x = 0; x < count; x++) {
        const C a = columns[x][top], b = columns[x][bottom];
        prefetch(columns[x] + later);
        prefetch(columns[x] + earlier);
        C* const entries = out + x * std::size_t(h + kApart);
        entries[k] = half_entry(plan_.down, a, b, k);
        if (k > 0) entries[h - k] = half_entry(plan_.down, b, a, h - k);
      }
    }
  }

  void put(const Batch& batch, int first, int x0, int count, const V* tile) {
    const std::size_t wide = plan_.geometry.wide, tall = plan_.geometry.tall, picture = wide * tall;
    const int slices = lanes_used(batch, first), whole = count / kLine * kLine;
    float* out = batch.out + first * picture + x0;
    const bool aligned = reinterpret_cast<std::size_t>(out) % (sizeof(float) * kLine) == 0 && wide % kLine == 0;
    for (std::size_t y = 0; y < tall; y++)
      for (int x = 0; x < whole; x += kLine) {
        V blocks[kLine];
        for (int i = 0; i < kLine; i++) blocks[i] = tile[(x + i) * (tall + 1) + y];
        for (int part = 0; part < kLine; part += L) transpose<L>(blocks + part);
        float* at = out + y * wide + x;
        for (int s = 0; s < slices; s++, at += picture)
          for (int part = 0; part < kLine; part += L) {
            if (aligned) stream(at + part, blocks[part + s]);
            else store<L>(at + part, blocks[part + s]);
          }
      }
    for (int x = whole; x < count; x++)
      for (std::size_t y = 0; y < tall; y++)
        for (int s = 0; s < slices; s++) out[s * picture + y * wide + x] = tile[x * (tall + 1) + y][s];
  }

  const GriddingPlan& plan_;
  const int members_;
  const std::size_t work_room_, tile_room_;
  Pages grid_, spectra_, work_, tiles_, factors_, lane_factors_;
};

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
