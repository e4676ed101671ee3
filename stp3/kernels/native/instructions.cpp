#include "instructions.hpp"

#include <algorithm>
#include <stdexcept>

namespace stp3 {

std::vector<std::string> instruction_sets() {
  std::vector<std::string> found;
#ifdef STP3_X86_64_LEVELS
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  if (v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    found.push_back("avx512");
  if (v3) found.push_back("avx2");
#endif
  found.push_back("baseline");
  return found;
}

std::string chosen_instructions(const std::string& name) {
  const auto found = instruction_sets();
  if (name.empty()) return found.front();
  if (std::find(found.begin(), found.end(), name) == found.end()) throw std::invalid_argument("this machine does not run " + name);
  return name;
}

}  // namespace stp3
