// The same reconstruction of a single slice: lanes are angles, then cells, then rows, then columns of the grid. Every
// element goes through the same operations in the same order as in many_slices.hpp, so the bits are the same.
#pragma once

#include "memory.hpp"
#include "sinogram_rows.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

template <int L>
class OneSlice {
  using V = typename Lanes<L>::vector;
  using C = Complex<V>;
  static constexpr int kPiece = L < 8 ? L : 8;  // of the eight floats in a row of a window
  static constexpr int kBlock = kPiece / 2;         // cells of an aligned block
  static constexpr int kPieces = kPiece == 8 ? 2 : 3;  // blocks that a row of four cells may touch
  static constexpr int kShift = 8 - kMargin;        // cells before the grid, so that the inner grid begins at a cache line
  using W = typename Lanes<kPiece>::vector;

 public:
  OneSlice(const GriddingPlan& plan, int members)
      : plan_(plan), members_(members),
        work_room_(2 * std::size_t(std::max({plan.geometry.padded, plan.geometry.across, plan.geometry.down})) + 2 * L),
        line_blocks_((plan.geometry.wide + L - 1) / L), line_rows_((plan.geometry.down / 2 + L) / L * L),
        band_rows_(std::max(8, int(kBandBytes / (8 * plan.width)))),
        grid_(sizeof(Complex<float>) * plan.width * plan.height + 1024),
        spectra_(sizeof(Complex<float>) * plan.geometry.angles * plan.bins_room),
        lines_(sizeof(C) * line_blocks_ * line_rows_), work_(sizeof(C) * work_room_ * members),
        factors_(sizeof(float) * 2 * plan.bins_room) {}

  int members() const { return members_; }
  std::size_t bytes() const {
    return grid_.bytes() + spectra_.bytes() + lines_.bytes() + work_.bytes() + factors_.bytes();
  }

  void run(const Batch& batch, int slice, Team& team, int member) {
    const GriddingPlan& p = plan_;
    const int angles = p.geometry.angles;
    team.each(1, [&](int) { axis_factors(p, batch.response, batch.axes[slice], factors_.as<float>()); });
    team.each((angles + L - 1) / L, [&](int group) { spectra(batch, slice, group * L, member); });
    team.each((p.height + band_rows_ - 1) / band_rows_, [&](int band) {
      add(band * band_rows_, std::min(p.height, (band + 1) * band_rows_));
    });
    team.each(1, [&](int) { fold(p, grid()); });
    team.each(line_rows_ / L, [&](int group) { across(group * L, member); });
    team.each(line_blocks_, [&](int block) { down(batch, slice, block, member); });
  }

 private:
  static constexpr int kBandBytes = 1 << 19;  // stay in a core's own cache

  Complex<float>* grid() const { return grid_.as<Complex<float>>() + kShift; }
  C* work(int member) const { return work_.as<C>() + work_room_ * member; }
  float* spectrum_of(int a) const { return spectra_.as<float>() + std::size_t(2) * plan_.bins_room * a; }

  void spectra(const Batch& batch, int slice, int a0, int member) {
    const int last = plan_.geometry.angles - 1, room = plan_.bins_room;
    const float *lines[L], *axis = factors_.as<float>();
    for (int i = 0; i < L; i++)
      lines[i] = batch.sinograms + slice * batch.slice_stride + std::min(a0 + i, last) * batch.angle_stride;
    C* x = work(member);
    load_rows<L>(plan_, lines, reinterpret_cast<V*>(x));
    const C* z = transform<false>(plan_.rows.half, x, x + plan_.geometry.padded / 2);
    for (int k0 = 0; k0 < plan_.bins; k0 += L) {
      V real[L], imaginary[L];
      for (int i = 0; i < L; i++) {
        const C bin = real_bin(plan_.rows, z, std::min(k0 + i, plan_.bins - 1));
        real[i] = bin.r;
        imaginary[i] = bin.i;
      }
      transpose<L>(real);
      transpose<L>(imaginary);
      const C axis_factor = {load<L>(axis + k0), load<L>(axis + room + k0)};
      for (int i = 0; i < L && a0 + i <= last; i++) {
        const C value = times(C{real[i], imaginary[i]}, times(axis_factor, angle_factor<L>(plan_, a0 + i, k0)));
        interleave(value.r, plan_.geometry.sines[a0 + i] > 0 ? -value.i : value.i, spectrum_of(a0 + i) + 2 * k0,
                   std::make_integer_sequence<int, L>());
      }
    }
  }

  template <int... j>
  static void interleave(V r, V i, float* out, std::integer_sequence<int, j...>) {
    store<L>(out, __builtin_shufflevector(r, i, (j % 2 ? L + j / 2 : j / 2)...));
    store<L>(out + L, __builtin_shufflevector(r, i, (j % 2 ? L + (L + j) / 2 : (L + j) / 2)...));
  }

  void add(int top, int bottom) {
    std::memset(static_cast<void*>(grid() + std::size_t(top) * plan_.width), 0, sizeof(Complex<float>) * plan_.width * (bottom - top));
    // A row of the window lies in two aligned blocks of cells (three of the smallest). They are loaded and stored
    // whole, with weights of zero beside the window: a load that partly overlaps the last store would have to wait.
    typedef long long Pairs __attribute__((vector_size(4 * kPiece)));
    const float *const window_u = plan_.window_u.data(), *const window_v = plan_.weights_v();
    float* const start = grid_.as<float>();
    const std::size_t row = std::size_t(2) * plan_.width;
    const std::size_t later = 2 * (2 * plan_.bins_room);  // the angle after the next, to be there in time
    scatter(plan_, 0, plan_.geometry.angles, top, bottom,
            [&](const Places& places, const Places&, int begin, int end, int first, int last) {
              const float* values = spectrum_of(places.angle) + 2 * places.frequency;
              for (int i = begin; i < end; i += 8) __builtin_prefetch(values + 2 * i + later);
              for (int i = begin; i < end; i++) {
                const int place = places.cell[i] + kShift, offset = place & (kBlock - 1);
                const float* wv = window_v + places.v[i];
                float* at = start + 2 * (place - offset);
                W weights[kPieces];
                spread(load<4>(window_u + places.u[i]), offset, weights);
                long long pair;
                std::memcpy(&pair, values + 2 * i, sizeof pair);
                const W both = (W)(pair + Pairs{});
                if (first == 0 && last == kWidth) {
#pragma GCC unroll 4
                  for (int j = 0; j < kWidth; j++) add_row(at + j * row, both * splat<W>(wv[j]), weights);
                } else {
                  for (int j = first; j < last; j++) add_row(at + j * row, both * splat<W>(wv[j]), weights);
                }
              }
            });
  }

  static void add_row(float* at, W value, const W* weights) {
#pragma GCC unroll 3
    for (int piece = 0; piece < kPieces; piece++, at += kPiece)
      store<kPiece>(at, mul_add(value, weights[piece], load<kPiece>(at)));
  }

#if defined(__AVX2__)
  // Four weights, twice each, moved up by `offset` cells and zeros around them.
  static void spread(Vector4 w, int offset, W* out) {
    alignas(32) static const int sources[kBlock][2][8] = {{{0, 0, 1, 1, 2, 2, 3, 3}, {4, 4, 4, 4, 4, 4, 4, 4}},
                                                          {{4, 4, 0, 0, 1, 1, 2, 2}, {3, 3, 4, 4, 4, 4, 4, 4}},
                                                          {{4, 4, 4, 4, 0, 0, 1, 1}, {2, 2, 3, 3, 4, 4, 4, 4}},
                                                          {{4, 4, 4, 4, 4, 4, 0, 0}, {1, 1, 2, 2, 3, 3, 4, 4}}};
    const __m256 wide = _mm256_zextps128_ps256(w);
    for (int piece = 0; piece < 2; piece++)
      out[piece] = _mm256_permutevar8x32_ps(wide, *reinterpret_cast<const __m256i*>(sources[offset][piece]));
  }
#else
  static void spread(Vector4 w, int offset, W* out) {
    const Vector4 zero = {};
    const W even[3] = {__builtin_shufflevector(w, w, 0, 0, 1, 1), __builtin_shufflevector(w, w, 2, 2, 3, 3), zero};
    const W odd[3] = {__builtin_shufflevector(zero, w, 0, 1, 4, 4), __builtin_shufflevector(w, w, 1, 1, 2, 2),
                      __builtin_shufflevector(w, zero, 3, 3, 4, 5)};
    for (int piece = 0; piece < 3; piece++) out[piece] = offset ? odd[piece] : even[piece];
  }
#endif

  // L rows of the grid, transformed; what the picture needs of them goes to lines_, a block of columns together.
  void across(int v0, int member) {
    const int side = plan_.geometry.across, wide = plan_.geometry.wide, last = plan_.geometry.down / 2;
    const float* rows[L];
    for (int i = 0; i < L; i++)
      rows[i] = reinterpret_cast<const float*>(grid() + std::size_t(std::min(v0 + i, last) + kMargin) * plan_.width + kMargin);
    C* x = work(member);
    V* to = reinterpret_cast<V*>(x);
    for (int u = 0; u < 2 * side; u += L) {
      V block[L];
      for (int i = 0; i < L; i++) block[i] = load<L>(rows[i] + u);
      transpose<L>(block);
      for (int i = 0; i < L; i++) to[u + i] = block[i];
    }
    const C* z = transform<true>(plan_.across, x, x + side + L);
    for (int block = 0; block < line_blocks_; block++) {
      V real[L], imaginary[L];
      for (int i = 0; i < L; i++) {
        const C value = z[wrapped(std::min(block * L + i, wide - 1), wide, side)];
        real[i] = value.r;
        imaginary[i] = value.i;
      }
      transpose<L>(real);
      transpose<L>(imaginary);
      C* out = lines_.as<C>() + std::size_t(block) * line_rows_ + v0;
      for (int i = 0; i < L; i++) out[i] = {real[i], imaginary[i]};
    }
  }

  void down(const Batch& batch, int slice, int block, int member) {
    const int wide = plan_.geometry.wide, tall = plan_.geometry.tall, side = plan_.geometry.down, h = side / 2, x0 = block * L;
    const C* column = lines_.as<C>() + std::size_t(block) * line_rows_;
    C* x = work(member);
    for (int k = 0; k <= h - k; k++) {
      const C a = column[k], b = column[h - k];
      x[k] = half_entry(plan_.down, a, b, k);
      if (k > 0) x[h - k] = half_entry(plan_.down, b, a, h - k);
    }
    const V* values = reinterpret_cast<const V*>(transform<true>(plan_.down.half, x, x + h));
    const float *shade_x = plan_.shade_x.data(), *shade_y = plan_.shade_y.data();
    V sign;
    for (int i = 0; i < L; i++) {
      const int at = std::min(x0 + i, wide - 1);
      sign[i] = (at - wide / 2) % 2 ? -shade_x[at] : shade_x[at];
    }
    float* out = batch.out + std::size_t(slice) * wide * tall + x0;
    for (int y = 0; y < tall; y++, out += wide) {
      const V value = values[wrapped(y, tall, side)] * (sign * splat<V>(shade_y[y]));
      if (x0 + L <= wide) store<L>(out, value);
      else std::memcpy(out, &value, sizeof(float) * (wide - x0));
    }
  }

  const GriddingPlan& plan_;
  const int members_;
  const std::size_t work_room_;
  const int line_blocks_, line_rows_, band_rows_;
  Pages grid_, spectra_, lines_, work_, factors_;
};

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
