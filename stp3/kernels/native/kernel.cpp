// Compiled once for each instruction set, with STP3_INSTRUCTIONS (its name) and STP3_LANES defined.
#include "many_slices.hpp"
#include "one_slice.hpp"

namespace stp3 {
namespace STP3_INSTRUCTIONS {

template <int L>
class LanesGridder final : public Gridder {
 public:
  explicit LanesGridder(const GriddingPlan& plan) : plan_(plan) {}
  ~LanesGridder() override {
    for (ManySlices<L>* part : many_) delete part;
    delete one_;
  }

  int lanes() const override { return L; }

  void make_room(int members, bool one, int grids, int of_others) override {
    if (one) grow(one_, members);
    for (int i = 0; i < grids; i++) grow(many_[i], i ? of_others : members);
  }

  std::size_t bytes() const override {
    std::size_t sum = one_ ? one_->bytes() : 0;
    for (const ManySlices<L>* part : many_) sum += part ? part->bytes() : 0;
    return sum;
  }

  void many(int grid, const Batch& batch, int first, Team& team, int member) override {
    many_[grid]->run(batch, first, team, member);
  }
  void one(const Batch& batch, int slice, Team& team, int member) override { one_->run(batch, slice, team, member); }

  void fft(float* signals, int count, const FftPlan& plan, bool inverse) override {
    using C = Complex<typename Lanes<L>::vector>;
    const std::size_t n = plan.length;
    const Pages pages(2 * n * sizeof(C));
    C* x = pages.as<C>();
    for (int first = 0; first < count; first += L) {
      const int lanes = count - first < L ? count - first : L;
      for (int s = 0; s < lanes; s++)
        for (std::size_t k = 0; k < n; k++) {
          x[k].r[s] = signals[2 * ((first + s) * n + k)];
          x[k].i[s] = signals[2 * ((first + s) * n + k) + 1];
        }
      const C* z = inverse ? transform<true>(plan, x, x + n) : transform<false>(plan, x, x + n);
      for (int s = 0; s < lanes; s++)
        for (std::size_t k = 0; k < n; k++) {
          signals[2 * ((first + s) * n + k)] = z[k].r[s];
          signals[2 * ((first + s) * n + k) + 1] = z[k].i[s];
        }
    }
  }

 private:
  template <class Part>
  void grow(Part*& part, int members) {
    if (part && part->members() >= members) return;
    delete part;
    part = nullptr;
    part = new Part(plan_, members);
  }

  const GriddingPlan& plan_;
  ManySlices<L>* many_[kMostGrids] = {};
  OneSlice<L>* one_ = nullptr;
};

Gridder* make_gridder(const GriddingPlan& plan) { return new LanesGridder<STP3_LANES>(plan); }

}  // namespace STP3_INSTRUCTIONS
}  // namespace stp3
