// The passes of the shrinker: each leaves out one kind of thing.
#include <fmt/core.h>

#include <algorithm>

#include "chaos/runner/shrinker.h"
#include "io/base/random.h"
#include "sim/faults.h"

namespace holdfast::chaos {
namespace {

/// The rates of what strikes one occurrence at a time: with every strike listed they are no longer needed.
constexpr const char* kStrikeRates[] = {"sched.cooperative", "disk.slow",  "disk.short-read", "disk.short-write", "disk.read-error", "disk.write-error",
                                        "disk.sync-error",   "net.partial", "net.stall",      "net.reset",        "net.half-close",  "net.no-descriptor"};

Case without_empty(Case c) {
  std::erase_if(c.overrides.orders, [](const auto& o) { return !o.second.strikes && o.second.values.empty(); });
  return c;
}

/// The number of a crash in the name of a setting of it.
uint64_t number_of(const std::string& name) { return std::stoul(name.substr(6)); }

bool keeps(const Keep& keep, size_t item) { return std::ranges::binary_search(keep, item); }

}  // namespace

bool is_of_plan(const std::string& name) {
  sim::FaultPlan plan;
  return sim::set_fault(plan, name, 0);
}

bool is_crash(const std::string& name) { return name.starts_with("crash-") && name.find('/') == std::string::npos; }
bool is_aim(const std::string& name) { return name.starts_with("crash-") && name.ends_with("/operation"); }

/// Sets as many of these settings as possible to their simple values.
void Shrinker::simplify(const std::function<bool(const std::string& name)>& which) {
  std::vector<std::pair<std::string, uint64_t>> all;
  for (const auto& [name, s] : outcome_.material.settings)
    if (s.value != s.simple && which(name)) all.emplace_back(name, s.simple);
  leave_out(all.size(), [&, base = best_](const Keep& keep) {
    Case c = base;
    for (size_t i = 0; i < all.size(); ++i)
      if (!keeps(keep, i)) c.overrides.settings[all[i].first] = all[i].second;
    return c;
  });
}

namespace {

/// One short run of the same seed: few operations, a few crashes early on.
Case small_run(const Case& base, const std::map<std::string, Setting>& plan, uint64_t operations, Rng& rng) {
  Case c = base;
  auto& s = c.overrides.settings;
  s["operations"] = operations;
  s["clients"] = rng.between(1, 3);
  s["crashes"] = rng.between(0, 3);
  if (plan.contains("collections-clients") && rng.chance(2, 3)) s["collections-clients"] = s["locks"] = 0;
  for (uint64_t k = 1; k <= s["crashes"]; ++k) {
    std::string name = fmt::format("crash-{}", k);
    s[name + "/operation"] = rng.between(1, 12 + 2 * operations);
    s[name + "/kind"] = rng.chance(3, 4) ? 0 : 1;
    s[name + "/moment"] = rng.chance(1, 2) ? 0 : rng.below(3);
    s[name + "/power"] = rng.below(2);
  }
  if (rng.chance(1, 2)) s["server.checkpoint-pages"] = s["server.shards"] = 1;
  // What struck now and then in a long run strikes more often in a short one.
  for (const char* rate : kStrikeRates) {
    auto drawn = plan.find(rate);
    if (drawn != plan.end() && drawn->second.value > 0 && rng.chance(1, 2)) s[rate] = std::min<uint64_t>(200'000, drawn->second.value * 10);
  }
  return c;
}

}  // namespace

/// Many bugs do not need what led to this failure: few operations and a crash or two at the right place show them as well.
/// So short runs of the same seed are tried first, the shortest before the others; then the long way is spared.
void Shrinker::try_small() {
  constexpr size_t kTries = 2'000;
  Rng rng(best_.seed, "small runs");
  std::vector<Case> all;
  for (size_t i = 0; i < kTries; ++i) all.push_back(small_run(best_, outcome_.material.settings, 3 + i / 64, rng));
  adopt(all.size(), [&](size_t i) { return all[i]; });
}

/// From rates to lists of what strikes: the same run, but each strike can go by itself and no other takes its place.
void Shrinker::list_strikes() {
  Case c = best_;
  for (auto& [stream, orders] : c.overrides.orders) orders.strikes.reset();
  for (const sim::Harm& h : outcome_.material.harms)
    if (h.kind == sim::Harm::Kind::kStrike) {
      auto& strikes = c.overrides.orders[h.stream].strikes;
      if (!strikes) strikes.emplace();
      strikes->insert(h.index);
    }
  c = without_empty(std::move(c));
  for (const char* rate : kStrikeRates) c.overrides.settings[rate] = 0;
  adopt(c);
}

void Shrinker::leave_out_crashes() {
  std::vector<std::string> all;
  uint64_t highest = 0;
  for (const auto& [name, s] : outcome_.material.settings)
    if (is_crash(name) && s.value == 1) {
      all.push_back(name);
      highest = std::max(highest, number_of(name));
    }
  // Those that were still to come must not take the place of one that goes.
  Case c = best_;
  c.overrides.settings["crashes"] = highest;
  adopt(c);
  leave_out(all.size(), [&, base = best_](const Keep& keep) {
    Case c = base;
    for (size_t i = 0; i < all.size(); ++i)
      if (!keeps(keep, i)) c.overrides.settings[all[i]] = 0;
    return c;
  });
}

std::vector<Shrinker::Performed> Shrinker::performed() const {
  std::vector<Performed> out;
  for (const auto& [client, reached] : outcome_.material.operations) {
    auto chosen = best_.overrides.operations.find(client);
    for (uint64_t n = 0; n < reached; ++n)
      if (chosen == best_.overrides.operations.end() || chosen->second.contains(n)) out.push_back({client, n});
  }
  return out;
}

Case Shrinker::with_operations(Case c, const std::vector<Performed>& all, const Keep& keep) const {
  auto clients = outcome_.material.settings.find("clients");
  for (uint64_t i = 0; clients != outcome_.material.settings.end() && i < clients->second.value; ++i) c.overrides.operations[static_cast<int>(i)];
  for (auto& [client, list] : c.overrides.operations) list.clear();
  for (size_t i = 0; i < all.size(); ++i) {
    auto& list = c.overrides.operations[all[i].client];
    if (keeps(keep, i)) list.insert(all[i].operation);
  }
  return c;
}

void Shrinker::leave_out_clients() {
  std::vector<Performed> all = performed();
  std::vector<int> clients;
  for (const auto& [client, reached] : outcome_.material.operations) clients.push_back(client);
  leave_out(clients.size(), [&, base = best_](const Keep& keep) {
    Keep operations;
    for (size_t i = 0; i < all.size(); ++i)
      if (keeps(keep, static_cast<size_t>(std::ranges::find(clients, all[i].client) - clients.begin()))) operations.push_back(i);
    return with_operations(base, all, operations);
  });
}

void Shrinker::leave_out_strikes() {
  std::vector<const sim::Harm*> all;
  Material material = outcome_.material;
  for (const sim::Harm& h : material.harms)
    if (h.kind == sim::Harm::Kind::kStrike && best_.overrides.orders.contains(h.stream) && best_.overrides.orders[h.stream].strikes) all.push_back(&h);
  leave_out(all.size(), [&, base = best_](const Keep& keep) {
    Case c = base;
    for (auto& [stream, orders] : c.overrides.orders)
      if (orders.strikes) orders.strikes->clear();
    for (size_t i : keep) c.overrides.orders[all[i]->stream].strikes->insert(all[i]->index);
    return c;
  });
}

/// What a power loss does to a file or an operation under way: nothing if possible, else one clear thing.
void Shrinker::leave_out_values() {
  Material material = outcome_.material;
  std::erase_if(material.harms, [](const sim::Harm& h) { return h.kind != sim::Harm::Kind::kValue; });
  const std::vector<sim::Harm>& all = material.harms;
  leave_out(all.size(), [&, base = best_](const Keep& keep) {
    Case c = base;
    for (size_t i = 0; i < all.size(); ++i)
      if (!keeps(keep, i)) c.overrides.orders[all[i].stream].values[all[i].index] = 0;
    return c;
  });
  material = outcome_.material;
  for (const sim::Harm& h : material.harms) {
    if (h.kind != sim::Harm::Kind::kValue || h.value <= 1) continue;
    Case c = best_;
    c.overrides.orders[h.stream].values[h.index] = 1;
    adopt(c);
  }
}

/// Numbers that cannot be simple come as near to it as they can.
void Shrinker::lower_numbers() {
  Material material = outcome_.material;
  for (const auto& [name, s] : material.settings) {
    if (is_crash(name) || is_aim(name) || is_of_plan(name)) continue;
    std::vector<uint64_t> values = towards(s.value, s.simple);
    adopt(values.size(), [&, base = best_](size_t i) {
      Case c = base;
      c.overrides.settings[name] = values[i];
      return c;
    });
  }
}

/// Where a crash may have to come instead when `fewer` of `all` operations go: a little earlier, or earlier in proportion.
std::vector<uint64_t> earlier(uint64_t at, size_t fewer, size_t all) {
  std::vector<uint64_t> out;
  auto add = [&](uint64_t to) {
    if (to >= 1 && to < at && std::ranges::find(out, to) == out.end()) out.push_back(to);
  };
  uint64_t expected = at - at * fewer / std::max<size_t>(1, all);
  for (uint64_t d = 0; d <= 5; ++d) {
    add(expected + d);
    if (expected > d) add(expected - d);
  }
  for (uint64_t d : {1, 2, 3, 4, 6, 8, 12, 16, 24})
    if (at > static_cast<uint64_t>(d)) add(at - static_cast<uint64_t>(d));
  add(expected / 2);
  return out;
}

/// The last two crashes that were planned, the last one first.
std::vector<std::string> Shrinker::aims() const {
  std::vector<std::pair<uint64_t, std::string>> all;
  for (const auto& [name, s] : outcome_.material.settings)
    if (is_aim(name)) all.emplace_back(number_of(name), name);
  std::ranges::sort(all, std::greater());
  std::vector<std::string> out;
  for (size_t i = 0; i < all.size() && i < 2; ++i) out.push_back(all[i].second);
  return out;
}

/// Leaves out operations, halves first. Fewer operations are fewer accesses to the disk, and a crash that was planned at
/// the n-th would come too late: a piece that cannot go by itself may go while one of the last crashes comes earlier.
void Shrinker::leave_out_operations() {
  static constexpr size_t kPiecesAimed = 48;  // more would cost more than they bring
  for (size_t size = std::max<size_t>(1, performed().size() / 2);; size /= 2) {
    for (size_t from = 0; from < performed().size() && !trials_.exhausted();) {
      std::vector<Performed> all = performed();
      Keep keep;
      for (size_t i = 0; i < all.size(); ++i)
        if (i < from || i >= from + size) keep.push_back(i);
      std::vector<Case> candidates = {with_operations(best_, all, keep)};
      if (all.size() / size <= kPiecesAimed)
        for (const std::string& aim : aims())
          for (uint64_t at : earlier(outcome_.material.settings[aim].value, size, all.size())) {
            candidates.push_back(candidates.front());
            candidates.back().overrides.settings[aim] = at;
          }
      if (!adopt(candidates.size(), [&](size_t i) { return candidates[i]; })) from += size;
    }
    if (size <= 1) return;
  }
}

/// Drops what the case says without any effect, so that it says only what matters.
void Shrinker::forget_the_idle() {
  Case c = best_;
  uint64_t operations = 1, clients = 1, crashes = 0;
  for (const auto& [client, list] : c.overrides.operations) {
    if (list.empty()) continue;
    clients = std::max(clients, static_cast<uint64_t>(client) + 1);
    operations = std::max(operations, *list.rbegin() + 1);
  }
  const auto& asked = outcome_.material.settings;
  for (const auto& [name, s] : asked)
    if (is_crash(name) && s.value == 1) crashes = std::max(crashes, number_of(name));
  if (!c.overrides.operations.empty()) c.overrides.settings["operations"] = operations;
  if (!c.overrides.operations.empty()) c.overrides.settings["clients"] = clients;
  c.overrides.settings["crashes"] = crashes;
  std::erase_if(c.overrides.operations, [&](const auto& o) { return o.second.empty() && static_cast<uint64_t>(o.first) >= clients; });
  adopt(c);
  // The rest has no effect at all: settings that nobody asks for, or that are what the seed says; draws that are not made.
  c = best_;
  std::erase_if(c.overrides.settings, [&](const auto& s) { return !asked.contains(s.first); });
  for (auto& [stream, orders] : c.overrides.orders)
    if (orders.strikes && orders.strikes->empty()) orders.strikes.reset();
  say_less(without_empty(std::move(c)));
  const Overrides said = best_.overrides;
  for (const auto& [name, value] : said.settings) {
    auto first = original_.settings.find(name);
    if (first == original_.settings.end() || first->second.value != value) continue;
    c = best_;
    c.overrides.settings.erase(name);
    say_less(c);
  }
  for (const auto& [stream, orders] : said.orders)
    for (const auto& [index, value] : orders.values) {
      c = best_;
      c.overrides.orders[stream].values.erase(index);
      say_less(without_empty(std::move(c)));
    }
}

}  // namespace holdfast::chaos
