#include <algorithm>
#include <cmath>
#include <vector>

#include "stripes.hpp"

namespace stp3 {
namespace {

constexpr double kAbrupt = 0.5;  // share of its height that a stripe rises within three columns
constexpr double kLeastNoise = 1e-6;
constexpr double kLeastVariation = 0.02;  // of the median line's: where nothing varies, nothing tells a dead line

using Levels = std::vector<double>;
using Marks = std::vector<char>;

// Between the ranked values, as NumPy's quantile.
double quantile(const Levels& ranked, double share) {
  const double at = share * double(ranked.size() - 1);
  const std::size_t below = std::size_t(at);
  const double from = ranked[below], to = ranked[std::min(below + 1, ranked.size() - 1)], part = at - double(below);
  return part < 0.5 ? from + (to - from) * part : to - (to - from) * (1 - part);
}

// Which values stand out from the rest (the paper's algorithm 4): a line fitted through the middle half of the sorted
// values tells what the highest and lowest should be.
Marks stand_out(const Levels& levels, double snr) {
  const int count = int(levels.size()), first = count / 4, middle = count - 2 * first;
  Marks found(levels.size(), 0);
  if (middle < 2) return found;
  Levels ranked = levels;
  std::sort(ranked.begin(), ranked.end());
  const double centre = first + (middle - 1) / 2.0;
  double mean = 0, products = 0, squares = 0;
  for (int i = first; i < first + middle; i++) mean += ranked[i] / middle;
  for (int i = first; i < first + middle; i++) {
    products += (i - centre) * (ranked[i] - mean);
    squares += (i - centre) * (i - centre);
  }
  const double slope = products / squares, low = mean - slope * centre, high = low + slope * (count - 1);
  const double noise = std::max({high - low, quantile(ranked, 0.9) - quantile(ranked, 0.1), kLeastNoise});
  const bool above = ranked.back() - high >= snr * noise, below = low - ranked.front() >= snr * noise;
  for (int i = 0; i < count; i++)
    found[i] = (above && levels[i] > high + snr * noise / 2) || (below && levels[i] < low - snr * noise / 2);
  return found;
}

Marks widened(const Marks& found) {
  const int count = int(found.size());
  Marks wide(found.size());
  for (int i = 0; i < count; i++) wide[i] = found[i] || (i > 0 && found[i - 1]) || (i + 1 < count && found[i + 1]);
  return wide;
}

// Only those runs of columns that begin or end abruptly: stripes do, features of the sample swell.
Marks abrupt(const Marks& found, const Levels& excess) {
  const int count = int(found.size());
  Marks kept(found.size(), 0);
  for (int start = 0, stop; start < count; start = stop + 1) {
    for (stop = start; stop < count && found[stop]; stop++) {}
    if (stop == start) continue;
    const double left = excess[std::min(start + 1, stop - 1)] - excess[std::max(start - 2, 0)];
    const double right = excess[std::max(stop - 2, start)] - excess[std::min(stop + 1, count - 1)];
    double height = 0;
    for (int i = start; i < stop; i++) height = std::max(height, std::fabs(excess[i]));
    if (std::max(std::fabs(left), std::fabs(right)) >= kAbrupt * height) std::fill(kept.begin() + start, kept.begin() + stop, 1);
  }
  return kept;
}

// Medians over a sliding window, mirrored at both ends.
Levels sliding_medians(const Levels& levels, int size) {
  const int count = int(levels.size()), half = size / 2;
  Levels window, medians;
  for (int i = -half; i <= half; i++) window.push_back(levels[mirrored(i, count)]);
  std::sort(window.begin(), window.end());
  for (int i = 0; i < count; i++) {
    medians.push_back(window[half]);
    window.erase(std::lower_bound(window.begin(), window.end(), levels[mirrored(i - half, count)]));
    const double next = levels[mirrored(i + half + 1, count)];
    window.insert(std::upper_bound(window.begin(), window.end(), next), next);
  }
  return medians;
}

double median(Levels levels) {
  std::sort(levels.begin(), levels.end());
  return (levels[(levels.size() - 1) / 2] + levels[levels.size() / 2]) / 2;
}

}  // namespace

void find_dead(const StripeTask& task, StripeRoom& room) {
  const int columns = task.columns;
  Levels variation(room.levels, room.levels + columns);
  Marks broken(columns);  // with values that are no numbers
  for (int i = 0; i < columns; i++)
    if ((broken[i] = !std::isfinite(variation[i]))) variation[i] = 0;
  const Levels usual = sliding_medians(variation, task.size_large);
  const double least = kLeastVariation * median(variation);
  for (int i = 0; i < columns; i++) variation[i] = usual[i] > least ? variation[i] / usual[i] : 1;
  Marks found = widened(stand_out(variation, task.snr));
  for (int i = 0; i < std::min(2, columns); i++) found[i] = found[columns - 1 - i] = 0;
  int good = -1;
  for (int i = 0; i < columns; i++) {
    room.found[i] = found[i] || broken[i];
    room.before[i] = good;
    if (!room.found[i]) good = i;
  }
  good = -1;
  for (int i = columns - 1; i >= 0; i--) {
    room.after[i] = good;
    if (!room.found[i]) good = i;
  }
  for (int i = 0; i < columns; i++) {
    int &before = room.before[i], &after = room.after[i];
    if (before < 0) before = after;
    if (after < 0) after = before;
    room.weight[i] = float(double(i - before) / std::max(after - before, 1));
    if (!room.found[i] || good < 0) before = -1;
    if (before == after) room.weight[i] = 0;
  }
}

void find_large(const StripeTask& task, StripeRoom& room) {
  const Levels excess(room.levels, room.levels + task.columns);
  const Marks found = widened(abrupt(stand_out(excess, task.snr), excess));
  std::copy(found.begin(), found.end(), room.found);
  room.any_large = std::find(found.begin(), found.end(), 1) != found.end();
}

}  // namespace stp3
