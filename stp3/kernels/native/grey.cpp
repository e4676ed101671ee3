// Slices as 8 or 16 bit numbers. Compiled once for each instruction set.
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

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
