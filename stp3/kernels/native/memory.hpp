// Memory in huge pages where the system has them: page faults of small ones cost more than the arithmetic.
#pragma once

#include <cstddef>

namespace stp3 {

class Pages {
 public:
  explicit Pages(std::size_t bytes);  // zeros; throws std::bad_alloc
  Pages(const Pages&) = delete;
  ~Pages();
  template <class T>
  T* as() const { return static_cast<T*>(data_); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_;
  void* data_;
};

}  // namespace stp3
