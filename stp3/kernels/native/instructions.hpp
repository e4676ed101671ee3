// The instruction sets that kernels are compiled for, and the choice among them.
#pragma once

#include <string>
#include <vector>

namespace stp3 {

// Those of this machine, the fastest first.
std::vector<std::string> instruction_sets();

// The set of that name, the fastest for "". Throws std::invalid_argument when this machine lacks it.
std::string chosen_instructions(const std::string& name);

// Declares `function` (its result, name and parameters) once for each set, in the namespace of its name.
#ifdef STP3_X86_64_LEVELS
#define STP3_FOR_EACH_INSTRUCTION_SET(declaration) \
  namespace baseline { declaration; }              \
  namespace avx2 { declaration; }                  \
  namespace avx512 { declaration; }
// Calls it for the set of that name.
#define STP3_DISPATCH(set, call) ((set) == "avx512" ? avx512::call : (set) == "avx2" ? avx2::call : baseline::call)
#else
#define STP3_FOR_EACH_INSTRUCTION_SET(declaration) \
  namespace baseline { declaration; }
#define STP3_DISPATCH(set, call) (baseline::call)
#endif

}  // namespace stp3
