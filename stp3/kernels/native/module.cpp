// The Python module stp3.kernels._native.
#include "binding.hpp"
#include "instructions.hpp"

NB_MODULE(_native, m) {
  m.doc() = "What STP3 computes most of, compiled for several instruction sets.";
  m.def("instruction_sets", &stp3::instruction_sets, "Those of this machine, the fastest first.");
  stp3::add_counts(m);
  stp3::add_gridding(m);
  stp3::add_warp(m);
  stp3::add_grey(m);
  stp3::add_profiles(m);
  stp3::add_stripes(m);
  stp3::add_projection_filter(m);
}
