// What the bindings share: array types, checks that name the value and the limit.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <string>

namespace nb = nanobind;
using namespace nb::literals;

namespace stp3 {

using Line = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Floats = nb::ndarray<const float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr int kMaxThreads = 1024;

inline void require(bool right, const std::string& what, double got) {
  if (right) return;
  std::string number = got == std::floor(got) && std::fabs(got) < 1e15 ? std::to_string((long long)got) : std::to_string(got);
  throw nb::value_error((what + ", got " + number + ".").c_str());
}

template <class Values>
void require_finite(const Values& values, const char* name) {
  for (std::size_t i = 0; i < values.size(); i++)
    require(std::isfinite(values.data()[i]), std::string(name) + "[" + std::to_string(i) + "] must be finite", values.data()[i]);
}

inline void require_length(std::size_t got, std::size_t wanted, const char* name, const char* one_each) {
  require(got == wanted, std::string(name) + " must hold " + std::to_string(wanted) + " values, one " + one_each, double(got));
}

// One function for each family of kernels: adds it to the module.
void add_counts(nb::module_& m);
void add_gridding(nb::module_& m);
void add_warp(nb::module_& m);
void add_grey(nb::module_& m);
void add_profiles(nb::module_& m);
void add_stripes(nb::module_& m);
void add_projection_filter(nb::module_& m);

}  // namespace stp3
