#include "sim/record.h"

namespace holdfast::sim {

SimRecord::SimRecord(uint64_t seed, const FaultPlan& plan, std::vector<std::string> mutants, Trace& trace,
                     FaultCounts& counts)
    : seed_(seed), plan_(plan), mutants_(mutants.begin(), mutants.end()), trace_(trace), counts_(counts) {}

void SimRecord::probe(std::string_view name) {
  uint64_t*& count = probes_.by_address[name.data()];
  if (!count) count = &probes_.values[std::string(name)];
  ++*count;
}

bool SimRecord::mutant(std::string_view name) {
  if (mutants_.empty() || !mutants_.contains(name)) return false;
  ++reached_.values[std::string(name)];
  return true;
}

bool SimRecord::misbehave(std::string_view name) {
  Misbehaviour*& m = misbehaviours_.by_address[name.data()];
  if (!m) {
    auto it = misbehaviours_.values.find(name);
    if (it == misbehaviours_.values.end()) {
      Stream s(seed_, "cooperative/" + std::string(name), trace_);
      constexpr Rate kRates[] = {10'000, 100'000, 500'000};
      Rate rate = s.chance(plan_.cooperative) ? kRates[s.decide(std::size(kRates), Draw::kSame)] : 0;
      it = misbehaviours_.values.try_emplace(std::string(name), std::move(s), rate).first;
    }
    m = &it->second;
  }
  bool yes = m->stream.strikes(m->rate);
  if (yes) counts_.hit(Fault::kCooperative);
  return yes;
}

std::map<std::string, uint64_t, std::less<>> SimRecord::probes() const { return probes_.values; }
std::map<std::string, uint64_t, std::less<>> SimRecord::mutants_reached() const { return reached_.values; }

}  // namespace holdfast::sim
