// Slices as 8 or 16 bit numbers, and how often their values occur. Compiled once for each instruction set.
#include "grey.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

namespace {

template <class Grey>
void convert(const float* values, std::size_t count, float low, float scale, float top, Grey* out) {
  for (std::size_t i = 0; i < count; i++) {
    float grey = (values[i] - low) * scale;
    grey = grey > 0.0f ? grey : 0.0f;  // what is not a number becomes 0
    grey = grey < top ? grey : top;
    out[i] = static_cast<Grey>(static_cast<int>(__builtin_rintf(grey)));
  }
}

}  // namespace

void to_grey(const float* values, std::size_t count, float low, float scale, float top, unsigned char* out) {
  convert(values, count, low, scale, top, out);
}
void to_grey(const float* values, std::size_t count, float low, float scale, float top, unsigned short* out) {
  convert(values, count, low, scale, top, out);
}

Extent extent(const float* values, std::size_t count) {
  constexpr int kLanes = 16;
  constexpr float kMost = 3.402823466e38f;
  float low[kLanes], high[kLanes];
  int finite[kLanes];
  Extent all{kMost, -kMost, 0};
  constexpr std::size_t kBlock = std::size_t(1) << 20;  // so that the lanes' counts do not overflow
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t end = count - begin < kBlock ? count : begin + kBlock;
    for (int l = 0; l < kLanes; l++) low[l] = kMost, high[l] = -kMost, finite[l] = 0;
    std::size_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (int l = 0; l < kLanes; l++) {
        const float value = values[i + l];
        const bool is_finite = (value >= -kMost) & (value <= kMost);
        const float kept_low = is_finite ? value : kMost, kept_high = is_finite ? value : -kMost;
        low[l] = kept_low < low[l] ? kept_low : low[l];
        high[l] = kept_high > high[l] ? kept_high : high[l];
        finite[l] += is_finite;
      }
    }
    for (; i < end; i++) {
      const float value = values[i];
      if (!(value >= -kMost && value <= kMost)) continue;
      low[0] = value < low[0] ? value : low[0];
      high[0] = value > high[0] ? value : high[0];
      finite[0]++;
    }
    for (int l = 0; l < kLanes; l++) {
      all.low = low[l] < all.low ? low[l] : all.low;
      all.high = high[l] > all.high ? high[l] : all.high;
      all.finite += std::size_t(finite[l]);
    }
  }
  return all;
}

void count_values(const float* values, std::size_t count, Extent within, float scale, int first, int bins,
                  std::uint64_t* tables) {
  constexpr int kBlock = 256;
  int bin[kBlock];
  std::uint64_t* own[kTables];
  for (int t = 0; t < kTables; t++) own[t] = tables + std::size_t(t) * (bins + 1);
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const int many = count - begin < kBlock ? int(count - begin) : kBlock;
    for (int i = 0; i < many; i++) {
      const float value = values[begin + i];
      const bool is_counted = (value >= within.low) & (value <= within.high);
      const float place = (is_counted ? value : within.low) * scale;
      const int whole = int(place);
      bin[i] = is_counted ? whole - (place < float(whole)) - first : bins;
    }
    int i = 0;
    for (; i + kTables <= many; i += kTables)
      for (int t = 0; t < kTables; t++) own[t][bin[i + t]]++;
    for (; i < many; i++) own[0][bin[i]]++;
  }
}

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
