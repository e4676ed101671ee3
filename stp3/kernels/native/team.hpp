// Threads that walk through the same stages together.
#pragma once

#include <atomic>

namespace stp3 {

class Team {
 public:
  explicit Team(int members) : members_(members) {}
  int members() const { return members_; }

  // Called by every member: does work(0) ... work(count - 1), each once, and returns when all are done.
  template <class Work>
  void each(int count, Work&& work) {
    if (members_ == 1) {
      for (int item = 0; item < count; item++) work(item);
      return;
    }
    for (int item = take(); item < count; item = take()) work(item);
    meet();
  }

 private:
  int take();
  void meet();

  const int members_;
  std::atomic<int> next_{0}, waiting_{0}, round_{0};
};

}  // namespace stp3
