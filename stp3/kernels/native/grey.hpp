// Grey numbers of slices: (value - low) * scale, rounded to the nearest (ties to even) and clipped to 0 ... top.
// How often each value occurs, too: what histograms are made of.
#pragma once

#include <cstddef>
#include <cstdint>

#include "instructions.hpp"

namespace stp3 {

// The least and the greatest finite value (low > high when there is none), and how many are finite.
struct Extent {
  float low, high;
  std::size_t finite;
};

// Counts go to `tables`, kTables of `bins + 1` each, to be added up: neighbours are often equal, and one count would wait
// for the other.
constexpr int kTables = 4;

STP3_FOR_EACH_INSTRUCTION_SET(
    void to_grey(const float* values, std::size_t count, float low, float scale, float top, unsigned char* out))
STP3_FOR_EACH_INSTRUCTION_SET(
    void to_grey(const float* values, std::size_t count, float low, float scale, float top, unsigned short* out))
STP3_FOR_EACH_INSTRUCTION_SET(Extent extent(const float* values, std::size_t count))
// Bin b holds floor(value * scale) == first + b of the values between `within.low` and `within.high`; others count in bin `bins`.
STP3_FOR_EACH_INSTRUCTION_SET(void count_values(const float* values, std::size_t count, Extent within, float scale,
                                                int first, int bins, std::uint64_t* tables))

}  // namespace stp3
