#include "chaos/runner/shrink.h"

#include <fmt/core.h>

#include "chaos/runner/shrinker.h"

namespace holdfast::chaos {

std::optional<size_t> Shrinker::adopt(size_t count, const std::function<Case(size_t)>& make) {
  RunSize now = size_of(outcome_);
  auto same = [&](const Outcome& o) {
    RunSize size = size_of(o);
    bool grows = size.faults > now.faults || size.operations > now.operations;
    return o.misfits.empty() && kind_of(o.violation) == kind_ && !(grows && growth_ == Growth::kRefused);
  };
  auto found = trials_.first(count, make, same);
  if (!found) return std::nullopt;
  Case c = make(found->index);
  Outcome again = trials_.run(c);
  if (again.hash != found->outcome.hash || again.violation != found->outcome.violation) return std::nullopt;
  best_ = std::move(c);
  outcome_ = std::move(found->outcome);
  return found->index;
}

void Shrinker::say_less(const Case& c) {
  if (c == best_) return;
  Outcome o = trials_.run(c);
  if (!o.misfits.empty() || o.violation != outcome_.violation || o.hash != outcome_.hash) return;
  if (o.material.harms.size() != outcome_.material.harms.size() || o.material.operations != outcome_.material.operations) return;
  best_ = c;
}

void Shrinker::leave_out(size_t count, const std::function<Case(const Keep&)>& make) {
  (void)minimize(count, [&](const std::vector<Candidate>& candidates) { return adopt(candidates.size(), [&](size_t i) { return make(candidates[i]); }); });
}

uint64_t Shrinker::weight() const {
  uint64_t complicated = 0;
  for (const auto& [name, s] : outcome_.material.settings) complicated += s.value != s.simple && !is_aim(name);
  return performed().size() + outcome_.material.harms.size() + complicated;
}

void Shrinker::tell(const char* after) const {
  RunSize size = size_of(outcome_);
  fmt::print(stderr, "{:<12} {:>5} faults, {:>3} crashes, {:>2} clients, {:>5} operations, {:>8.3f} s; {:>6} runs, {:>5.1f} core-s\n", after, size.faults,
             size.crashes, size.clients, size.operations, size.seconds, trials_.runs(), trials_.core_seconds());
}

void Shrinker::round() {
  // First what makes every further run shorter: what comes after the violation.
  for (const char* name : {"verify", "flip"}) {
    Case c = best_;
    c.overrides.settings[name] = 0;
    adopt(c);
  }
  simplify(is_of_plan);
  tell("fault kinds");
  leave_out_crashes();
  tell("crashes");
  list_strikes();
  leave_out_strikes();
  tell("faults");
  leave_out_clients();
  tell("clients");
  leave_out_operations();
  tell("operations");
  leave_out_values();
  tell("losses");
  growth_ = Growth::kRefused;
  simplify([](const std::string& name) { return !is_of_plan(name) && !is_crash(name) && !is_aim(name); });
  lower_numbers();
  tell("settings");
}

Result<Shrunk> Shrinker::run() {
  Shrunk out;
  outcome_ = trials_.run(best_);
  if (!outcome_.misfits.empty()) return fail(Code::kBadRequest, outcome_.misfits.front());
  if (outcome_.violation.empty()) return fail(Code::kNotFound, "this run passes: there is nothing to shrink");
  if (outcome_.material.settings.empty()) return fail(Code::kUnsupported, "this suite has no settings: there is nothing to leave out");
  kind_ = kind_of(outcome_.violation);
  original_ = outcome_.material;
  out.before = outcome_;
  Outcome again = trials_.run(best_);
  if (again.hash != outcome_.hash || again.violation != outcome_.violation) return fail(Code::kConflict, "two runs of this case differ");
  tell("before");
  simplify(is_of_plan);
  tell("fault kinds");
  try_small();
  tell("small");
  for (uint64_t last = UINT64_MAX; weight() < last && !trials_.exhausted();) {
    last = weight();
    round();
  }
  forget_the_idle();
  tell("after");
  out.smallest = best_;
  out.smallest.expect = outcome_.violation;
  out.after = outcome_;
  return out;
}

RunSize size_of(const Outcome& o) {
  auto count = [&](const char* name) {
    auto it = o.result.counts.find(name);
    return it == o.result.counts.end() ? 0 : it->second;
  };
  return {.faults = count("faults struck"),
          .crashes = count("process deaths") + count("power losses"),
          .clients = o.material.operations.size(),
          .operations = count("client operations"),
          .seconds = o.result.simulated_seconds};
}

Result<Shrunk> shrink(const Case& start, Trials& trials) { return Shrinker(start, trials).run(); }

}  // namespace holdfast::chaos
