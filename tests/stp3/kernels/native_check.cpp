// Runs the kernel over many small shapes, so that a sanitizer sees every load and store. Silent when all is well.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "counts.hpp"
#include "grey.hpp"
#include "gridder.hpp"
#include "profiles.hpp"
#include "projection_filter.hpp"
#include "stripes.hpp"
#include "warp.hpp"

namespace {

int smooth_half(int least) {
  while (!stp3::is_smooth(least)) least++;
  return 2 * least;
}

int side_of(int pixels) { return smooth_half((5 * pixels + 7) / 8 + 3); }

// Arrays exactly as long as they must be: one float beyond them is a fault.
bool check(int columns, int angles, int slices, int threads, bool edge, int wide, int tall) {
  stp3::Geometry geometry{columns, angles, smooth_half(columns < 4 ? 4 : columns), wide, tall, side_of(wide), side_of(tall),
                          0.3 * columns, -0.5, edge, {}, {}, {}};
  for (int a = 0; a < angles; a++) {
    const double theta = 0.1 + 6.2 * a / angles;
    geometry.cosines.push_back(a == 1 ? 1 : a == 2 ? 0 : std::cos(theta));
    geometry.sines.push_back(a == 1 ? 0 : a == 2 ? -1 : std::sin(theta));
    geometry.weights.push_back(1.0 / angles);
  }
  const stp3::GriddingPlan plan(geometry);
  const auto gridder = stp3::make_gridder(plan, "baseline");
  const std::size_t picture = std::size_t(wide) * tall, line = std::size_t(columns) * slices;
  std::vector<float> sinograms(line * angles), response(plan.bins, 1.f), out(picture * slices), again(picture);
  std::vector<double> axes(slices, columns / 2.0);
  if (slices > 2) axes[1] += 0.25;
  for (std::size_t i = 0; i < sinograms.size(); i++) sinograms[i] = float((i * 2654435761u) % 1000) / 1000;
  const stp3::Batch all{sinograms.data(), columns, std::ptrdiff_t(line), slices, response.data(), axes.data(), out.data()};
  stp3::reconstruct(*gridder, all, threads, 1 + columns % 3);
  for (int s = 0; s < slices; s++) {
    const stp3::Batch one{sinograms.data() + std::size_t(s) * columns, columns, std::ptrdiff_t(line), 1, response.data(), axes.data() + s, again.data()};
    stp3::reconstruct(*gridder, one, 1, 1);
    if (std::memcmp(again.data(), out.data() + s * picture, sizeof(float) * picture)) {
      std::printf("slice %d of %d differs: %d columns, %d angles, %d x %d pixels, %d threads\n", s, slices, columns, angles,
                  wide, tall, threads);
      return false;
    }
  }
  return true;
}

// A row of weighted lines and what they leave of a base, in place; true when the sums are those of a plain loop.
bool check_profiles(int outputs, int terms, int columns) {
  std::vector<float> weights(outputs * terms), lines(terms * columns), sums(outputs * columns), base(outputs * columns, 1.f);
  for (std::size_t i = 0; i < weights.size(); i++) weights[i] = float(i % 7) - 3;
  for (std::size_t i = 0; i < lines.size(); i++) lines[i] = float(i % 11) - 5;
  stp3::Weighing task{weights.data(), outputs, terms, 1, columns, lines.data(), columns, columns, nullptr, 0, 0, sums.data(), columns, columns};
  for (int tile = 0; tile < stp3::baseline::count_tiles(task); tile++) stp3::baseline::weigh_tile(task, tile);
  task.base = task.out = base.data(), task.base_step = task.base_row = columns;
  for (int tile = 0; tile < stp3::baseline::count_tiles(task); tile++) stp3::baseline::weigh_tile(task, tile);
  for (int i = 0; i < outputs; i++)
    for (int c = 0; c < columns; c++) {
      float wanted = 0;  // small whole numbers: exact
      for (int k = 0; k < terms; k++) wanted += weights[i * terms + k] * lines[k * columns + c];
      if (sums[i * columns + c] != wanted || base[i * columns + c] != 1 - wanted) {
        std::printf("output %d, column %d differs: %d outputs, %d terms, %d columns\n", i, c, outputs, terms, columns);
        return false;
      }
    }
  return true;
}

// One pass over counts of one type, and the same in steps, which must give the same bits.
template <class T>
bool check_counts(stp3::CountType type, int columns, int angles, int rows, int flats, int window, int threads) {
  const std::size_t frame = std::size_t(rows) * columns, all = frame * angles;
  std::vector<T> counts(all);
  std::vector<float> dark(frame, 1.f), light(frame * flats), later(angles, 0.25f), out(all), steps(all);
  const std::vector<float> air(2 * std::size_t(rows) * angles, 0.9f);
  std::vector<int> earlier(angles, flats > 1 ? flats - 2 : 0);
  for (std::size_t i = 0; i < all; i++) counts[i] = T((i * 2654435761u) % 127);
  for (std::size_t i = 0; i < light.size(); i++) light[i] = flats == 1 ? 0.01f : float(i % 90);
  const std::ptrdiff_t apart = std::ptrdiff_t(frame);
  stp3::CountsPass pass{counts.data(), type, apart, columns, angles, rows, columns, out.data(), apart, columns, flats > 0, flats,
                        dark.data(), light.data(), earlier.data(), later.data(), columns % 5 ? nullptr : air.data(), window, 0.1f, 1e-3f, columns % 2 == 0};
  stp3::run(pass, threads, "baseline");
  pass.out = steps.data(), pass.window = 1, pass.floor = 0;
  stp3::run(pass, 1, "baseline");
  pass.counts = steps.data(), pass.type = stp3::CountType::f32, pass.air = nullptr, pass.open_beam = false, pass.flats = 0, pass.window = window;
  stp3::run(pass, 1, "baseline");
  pass.window = 1, pass.floor = 1e-3f;
  stp3::run(pass, threads, "baseline");
  if (std::memcmp(out.data(), steps.data(), sizeof(float) * all) == 0) return true;
  std::printf("%d columns, %d angles, %d rows, %d flats, window %d: steps differ from one pass\n", columns, angles, rows, flats, window);
  return false;
}

bool check_all_counts(int columns, int rows, int flats, int window) {
  const int angles = 1 + columns % 6, threads = 1 + rows % 3;
  bool good = check_counts<unsigned char>(stp3::CountType::u8, columns, angles, rows, flats, window, threads);
  good &= check_counts<unsigned short>(stp3::CountType::u16, columns, angles, rows, flats, window, threads);
  good &= check_counts<short>(stp3::CountType::i16, columns, angles, rows, flats, window, threads);
  good &= check_counts<unsigned>(stp3::CountType::u32, columns, angles, rows, flats, window, threads);
  good &= check_counts<int>(stp3::CountType::i32, columns, angles, rows, flats, window, threads);
  good &= check_counts<float>(stp3::CountType::f32, columns, angles, rows, flats, window, threads);
  return good & check_counts<double>(stp3::CountType::f64, columns, angles, rows, flats, window, threads);
}

// Stripes removed in place, and alone row by row: the same bits. Components, when there are any, are of no meaning.
bool check_stripes(int columns, int angles, int rows, int threads, int components, bool fits) {
  const std::size_t line = std::size_t(columns) * rows;
  std::vector<float> sinograms(line * angles);
  std::vector<double> parts(std::size_t(angles) * components, 0.5), weights(1 + columns % 9, 0.1);
  for (std::size_t i = 0; i < sinograms.size(); i++) sinograms[i] = float((i * 2654435761u) % 1000) / 500 - 1;
  std::vector<float> out = sinograms;
  const bool detects = components == 0;
  stp3::StripeTask task{out.data(), std::ptrdiff_t(line), columns, out.data(), std::ptrdiff_t(line), columns, angles, rows,
                        columns, detects, detects, 1.1, std::min(columns - 1 + columns % 2, 31), std::min(columns - 1 + columns % 2, 9),
                        components ? parts.data() : nullptr, components ? parts.data() : nullptr, components,
                        fits ? weights.data() : nullptr, fits ? int(weights.size()) - 1 : 0};
  const auto remove = [](const stp3::StripeTask& some, int members) {
    const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(64, stp3::stripe_bytes(some, members, "baseline")), &std::free);
    stp3::remove_stripes(some, memory.get(), members, "baseline");
  };
  remove(task, threads);
  task.rows = 1;
  for (int row = 0; row < rows; row++) {
    task.in = sinograms.data() + std::size_t(row) * columns;
    task.out = sinograms.data() + std::size_t(row) * columns;
    remove(task, 1);
  }
  if (std::memcmp(out.data(), sinograms.data(), sizeof(float) * out.size()) == 0) return true;
  std::printf("%d columns, %d angles, %d rows, %d components: stripes differ by row\n", columns, angles, rows, components);
  return false;
}

// Half-way weights on a ramp, whose values are known.
bool check_warp(int columns, int rows, int angles) {
  const std::size_t frame = std::size_t(rows) * columns;
  std::vector<float> frames(frame * angles), out(frame * angles), down(frame, rows > 1 ? 0.5f : 0.f), across(frame, columns > 1 ? 0.5f : 0.f);
  std::vector<int> row(frame), column(frame);
  for (std::size_t i = 0; i < frames.size(); i++) frames[i] = float(i % frame / columns * 4 + i % columns * 2);
  for (std::size_t i = 0; i < frame; i++) row[i] = rows > 1 ? int(i % (rows - 1)) : 0, column[i] = columns > 1 ? int(i % (columns - 1)) : 0;
  stp3::baseline::warp({frames.data(), std::ptrdiff_t(frame), columns, angles, rows, columns, out.data(), std::ptrdiff_t(frame), columns,
                        row.data(), column.data(), down.data(), across.data()});
  for (std::size_t i = 0; i < out.size(); i++) {
    const std::size_t j = i % frame;
    if (out[i] == float(4 * row[j] + 2 * column[j] + (rows > 1 ? 2 : 0) + (columns > 1 ? 1 : 0))) continue;
    std::printf("%d columns, %d rows: value %zu of the warp is wrong\n", columns, rows, i);
    return false;
  }
  return true;
}

// Rows [first, last) alone and in place equal those of the whole; arrays are exactly as long as they must be.
bool check_filter(int angles, int rows, int columns, int reach, int first, int last) {
  const stp3::RealFftPlan plan(smooth_half(columns / 2 + reach + 1));
  const int bins = plan.half.length + 1, stride = (bins + stp3::kMostLanes - 1) / stp3::kMostLanes * stp3::kMostLanes;
  std::vector<float> taps((reach + 1) * stride), data(angles * rows * columns), whole(data.size()), part(angles * (last - first) * columns);
  std::vector<int> lengths(bins, reach + 1);
  for (int k = 0; k < bins; k += 3) lengths[k] = 1;
  for (int n = 0; n <= reach; n++)
    for (int k = 0; k < bins; k++) taps[n * stride + k] = n < lengths[k] ? 1.f / float(n + k + 1) : 0.f;
  for (std::size_t i = 0; i < data.size(); i++) data[i] = float((i * 2654435761u) % 1000) / 1000;
  const auto run = [&](float* out, int begin, int end) {
    const stp3::ProjectionFilter filter{data.data(), rows * columns, columns, angles, rows, columns, out, (end - begin) * columns, columns, begin, end,
                                        taps.data(), std::size_t(stride), lengths.data(), reach, &plan};
    const std::size_t floats = stp3::baseline::filter_room(filter);
    const std::unique_ptr<float, void (*)(void*)> room(static_cast<float*>(std::aligned_alloc(64, (floats * 4 + 63) / 64 * 64)), std::free);
    for (int batch = 0; batch < stp3::baseline::filter_batches(filter); batch++) stp3::baseline::filter_batch(filter, batch, room.get());
  };
  run(whole.data(), 0, rows);
  run(part.data(), first, last);
  run(data.data(), 0, rows);
  bool good = data == whole;
  for (int a = 0; a < angles; a++)
    for (int i = 0; i < (last - first) * columns; i++) good &= part[a * (last - first) * columns + i] == whole[(a * rows + first) * columns + i];
  if (!good) std::printf("filter differs: %d angles, %d rows, %d columns, reach %d\n", angles, rows, columns, reach);
  return good;
}

// Extremes and counts of values, some of which are no numbers; true when a plain loop counts the same.
bool check_histogram(int count) {
  std::vector<float> values(count);
  for (int i = 0; i < count; i++) values[i] = i % 11 == 3 ? NAN : i % 13 == 5 ? -INFINITY : float(i * 37 % 101) - 50;
  const stp3::Extent found = stp3::baseline::extent(values.data(), values.size());
  if (!found.finite) return count == 0;
  const int first = int(std::floor(found.low / 4)), bins = int(std::floor(found.high / 4)) - first + 1;
  std::vector<std::uint64_t> tables(std::size_t(stp3::kTables) * (bins + 1)), wanted(bins + 1);
  stp3::baseline::count_values(values.data(), values.size(), found, 0.25f, first, bins, tables.data());
  std::size_t finite = 0;
  for (float value : values)
    if (std::isfinite(value)) wanted[int(std::floor(value / 4)) - first]++, finite++;
  for (std::size_t i = 0; i < tables.size(); i++) wanted[i % (bins + 1)] -= tables[i];
  wanted[bins] += values.size() - finite;
  return finite == found.finite && std::all_of(wanted.begin(), wanted.end(), [](std::uint64_t left) { return left == 0; });
}

}  // namespace

int main() {
  bool good = true;
  for (int columns : {1, 2, 3, 4, 5, 7, 8, 13, 16, 29, 64, 101})
    for (int slices : {1, 2, 4, 7}) {
      const int angles = 1 + (columns * 7 + slices) % 23, threads = 1 + slices % 3;
      good &= check(columns, angles, slices, threads, columns % 2, columns, columns);
      good &= check(columns, angles, slices, threads, columns % 2, 1 + columns / 3, 1 + columns / slices);
    }
  for (int columns : {1, 7, 8, 9, 40})
    for (int terms : {1, 5, 128, 130, 300})
      for (int outputs : {1, 6, 7, 13}) good &= check_profiles(outputs, terms, columns);
  for (int columns : {1, 2, 3, 4, 5, 7, 8, 31, 64, 255, 256, 257, 300})
    for (int window : {1, 3, 5, 7}) good &= check_all_counts(columns, 1 + (columns + window) % 9, (columns + window) % 4, window);
  for (int columns : {1, 2, 3, 4, 5, 15, 16, 33, 70})
    for (int angles : {1, 2, 7, 8, 16, 17, 40}) {
      const int rows = 1 + columns % 3, threads = 1 + angles % 3;
      good &= check_stripes(columns, angles, rows, threads, 0, false);
      good &= check_stripes(columns, angles, rows, threads, 1 + angles % 11, false);
      good &= check_stripes(columns, angles, rows, threads, 1 + angles % 11, true);
    }
  for (int columns : {1, 2, 3, 17, 64})
    for (int rows : {1, 2, 5}) good &= check_warp(columns, rows, 3);
  for (int columns : {1, 3, 4, 21})
    for (int rows : {1, 2, 15, 67, 150})
      for (int reach : {0, 1, 9}) good &= check_filter(1 + rows % 5, rows, columns, reach, rows / 3, rows / 3 + (rows + 1) / 2);
  for (int count : {0, 1, 2, 15, 16, 17, 255, 256, 257, 1000}) good &= check_histogram(count);
  return good ? 0 : 1;
}
