// Grey numbers of slices: (value - low) * scale, rounded to the nearest (ties to even) and clipped to 0 ... top.
#pragma once

#include <cstddef>

#include "instructions.hpp"

namespace stp3 {

STP3_FOR_EACH_INSTRUCTION_SET(
    void to_grey(const float* values, std::size_t count, float low, float scale, float top, unsigned char* out))
STP3_FOR_EACH_INSTRUCTION_SET(
    void to_grey(const float* values, std::size_t count, float low, float scale, float top, unsigned short* out))

}  // namespace stp3
