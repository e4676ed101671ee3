// Compiled once for each instruction set.
#include "projection_filter.hpp"

#include "fft.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

namespace {

constexpr int L = STP3_LANES;
constexpr int kBlock = L == 16 ? 8 : 4;  // rows whose sums stay in registers
constexpr int kLines = 4 * L;            // at least, in a batch: so that few lanes stay empty
constexpr int kBand = 64;                // rows of the result that are worked on together
using V = Lanes<L>::vector;
using C = Complex<V>;
constexpr std::size_t kApart = 2048 / sizeof(C);  // so that loads do not look like the last stores, half a page off

inline int smaller(int a, int b) { return a < b ? a : b; }
inline int larger(int a, int b) { return a > b ? a : b; }
inline int together(const ProjectionFilter& f) { return smaller(f.angles, (kLines + f.rows - 1) / f.rows); }

// Where a batch keeps what it works on. The spectra of the rows that a band needs go round: row r of a projection is in
// line r % held of it.
struct Room {
  Room(const ProjectionFilter& f, float* room)
      : half(f.plan->half.length), blocks((half + L) / L), line_length(blocks | 1),
        held(smaller(f.rows, kBand + 2 * f.reach)) {
    work = reinterpret_cast<C*>(room);
    spectrum = work + 2 * half + 2 + kApart;
    spectra = spectrum + blocks * L;
    results = spectra + line_length * held * together(f);
    column = results + line_length * kBand * together(f);
    weights = reinterpret_cast<V*>(column + kBand + 2 * f.reach + kBlock);
    end = reinterpret_cast<float*>(weights + 2 * (f.reach + kBlock) + 1);
  }
  C* spectrum_of(int angle, int row) const { return spectra + line_length * (std::size_t(angle) * held + row % held); }
  C* result_of(int angle, int row) const { return results + line_length * (std::size_t(angle) * kBand + row); }

  std::size_t half, blocks;  // of L frequencies each
  std::size_t line_length;   // an odd number of blocks, so that neighbours fall into different sets of the cache
  int held;
  C *work, *spectrum, *spectra, *results, *column;
  V* weights;
  float* end;
};

// Rows [first, last) of a few projections.
struct Lines {
  int angle, angles, first, last;
  int count() const { return angles * (last - first); }
  int angle_of(int line) const { return line / (last - first); }
  int row_of(int line) const { return first + line % (last - first); }
};

void load_lines(const float* const* lines, int n, int padded, V* x) {
  const int middle = (n + padded) / 2;
  int i = 0;
  for (; i + L <= n; i += L) {
    V block[L];
    for (int s = 0; s < L; s++) block[s] = load<L>(lines[s] + i);
    transpose<L>(block);
    for (int s = 0; s < L; s++) x[i + s] = block[s];
  }
  for (; i < n; i++)
    for (int s = 0; s < L; s++) x[i][s] = lines[s][i];
  const V right = x[n - 1], left = x[0];
  for (i = n; i < middle; i++) x[i] = right;
  for (; i < padded; i++) x[i] = left;
}

// Spectra of L lines from `first` on, of which the last may be repeated.
void forward(const ProjectionFilter& f, const Lines& lines, int first, const Room& room) {
  const float* from[L];
  C* to[L];
  for (int s = 0; s < L; s++) {
    const int line = smaller(first + s, lines.count() - 1), angle = lines.angle_of(line), row = lines.row_of(line);
    from[s] = f.projections + (lines.angle + angle) * f.angle_stride + row * f.row_stride;
    to[s] = room.spectrum_of(angle, row);
  }
  load_lines(from, f.columns, 2 * int(room.half), reinterpret_cast<V*>(room.work));
  const C* z = transform<false>(f.plan->half, room.work, room.work + room.half + 1 + kApart);
  for (std::size_t block = 0; block < room.blocks; block++) {
    V real[L], imaginary[L];
    for (int j = 0; j < L; j++) {
      const std::size_t k = block * L + j;
      const C value = k <= room.half ? real_bin(*f.plan, z, int(k)) : C{};
      real[j] = value.r;
      imaginary[j] = value.i;
    }
    transpose<L>(real);
    transpose<L>(imaginary);
    for (int s = 0; s < L; s++) to[s][block] = {real[s], imaginary[s]};
  }
}

// The kernels of L frequencies: rows -reach ... reach with zeros on either side. Returns their reach.
int load_weights(const ProjectionFilter& f, std::size_t block, const Room& room) {
  int reach = 0;
  for (std::size_t k = block * L; k < (block + 1) * L && k <= room.half; k++) reach = larger(reach, f.lengths[k] - 1);
  V* const weights = room.weights;
  for (int d = 0; d < kBlock; d++) weights[d] = weights[kBlock + 2 * reach + 1 + d] = V{};
  for (int d = 0; d <= reach; d++)
    weights[kBlock + reach - d] = weights[kBlock + reach + d] = load<L>(f.taps + d * f.taps_stride + block * L);
  return reach;
}

// The kernels over one block of frequencies of one projection.
void across_rows(const ProjectionFilter& f, const Lines& lines, int angle, std::size_t block, int reach, const Room& room) {
  const int begin = lines.first - reach, end = lines.last + reach + kBlock;  // of the rows that are looked at
  C* const column = room.column;
  for (int r = begin; r < end; r++) {
    const int row = larger(0, smaller(r, smaller(lines.last + reach, f.rows) - 1));
    column[r - begin] = room.spectrum_of(angle, row)[block];
  }
  for (int first = lines.first; first < lines.last; first += kBlock) {
    C sums[kBlock] = {};
    const C* x = column + (first - lines.first);
    const V* w = room.weights + kBlock;
    for (int j = 0; j < 2 * reach + kBlock; j++, x++, w++) {  // the row first - reach + j
#pragma GCC unroll 8
      for (int b = 0; b < kBlock; b++) sums[b] = {mul_add(x->r, w[-b], sums[b].r), mul_add(x->i, w[-b], sums[b].i)};
    }
    const int count = smaller(kBlock, lines.last - first);
    for (int b = 0; b < count; b++) room.result_of(angle, first - lines.first + b)[block] = sums[b];
  }
}

void store_lines(float* const* lines, int used, int n, V scale, const V* values) {
  int i = 0;
  for (; i + L <= n; i += L) {
    V block[L];
    for (int s = 0; s < L; s++) block[s] = values[i + s] * scale;
    transpose<L>(block);
    for (int s = 0; s < used; s++) store<L>(lines[s] + i, block[s]);
  }
  for (; i < n; i++) {
    const V value = values[i] * scale;
    for (int s = 0; s < used; s++) lines[s][i] = value[s];
  }
}

// L lines of the result from `first` on.
void inverse(const ProjectionFilter& f, const Lines& lines, int first, const Room& room) {
  const C* from[L];
  float* to[L];
  for (int s = 0; s < L; s++) {
    const int line = smaller(first + s, lines.count() - 1), angle = lines.angle_of(line), row = lines.row_of(line);
    from[s] = room.result_of(angle, row - lines.first);
    to[s] = f.out + (lines.angle + angle) * f.out_angle_stride + (row - f.first) * f.out_row_stride;
  }
  for (std::size_t block = 0; block < room.blocks; block++) {
    V real[L], imaginary[L];
    for (int s = 0; s < L; s++) real[s] = from[s][block].r, imaginary[s] = from[s][block].i;
    transpose<L>(real);
    transpose<L>(imaginary);
    for (int j = 0; j < L; j++) room.spectrum[block * L + j] = {real[j], imaginary[j]};
  }
  const std::size_t h = room.half;
  C* const x = room.work;
  for (std::size_t k = 0; k <= h - k; k++) {
    const C a = room.spectrum[k], b = room.spectrum[h - k];
    x[k] = half_entry(*f.plan, a, b, int(k));
    if (k > 0) x[h - k] = half_entry(*f.plan, b, a, int(h - k));
  }
  const C* z = transform<true>(f.plan->half, x, x + h + 1 + kApart);
  store_lines(to, smaller(L, lines.count() - first), f.columns, splat<V>(0.5f / float(h)), reinterpret_cast<const V*>(z));
}

}  // namespace

std::size_t filter_room(const ProjectionFilter& filter) {
  const Room room(filter, nullptr);
  return std::size_t(reinterpret_cast<const char*>(room.end) - static_cast<const char*>(nullptr)) / sizeof(float);
}

int filter_batches(const ProjectionFilter& filter) { return (filter.angles + together(filter) - 1) / together(filter); }

void filter_batch(const ProjectionFilter& f, int batch, float* memory) {
  const Room room(f, memory);
  const int angle = batch * together(f), angles = smaller(together(f), f.angles - angle);
  int known = larger(0, f.first - f.reach);  // the rows before it have been transformed, or are not needed
  for (int first = f.first; first < f.last; first += kBand) {
    const Lines band = {angle, angles, first, smaller(first + kBand, f.last)};
    const Lines more = {angle, angles, known, smaller(band.last + f.reach, f.rows)};
    for (int line = 0; line < more.count(); line += L) forward(f, more, line, room);
    known = more.last;
    for (std::size_t block = 0; block < room.blocks; block++) {
      const int reach = load_weights(f, block, room);
      for (int a = 0; a < angles; a++) across_rows(f, band, a, block, reach, room);
    }
    for (int line = 0; line < band.count(); line += L) inverse(f, band, line, room);
  }
}

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
