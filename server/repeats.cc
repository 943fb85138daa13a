#include "server/repeats.h"

#include <algorithm>

#include "io/base/probe.h"

namespace holdfast::server {

Hash128 insert_fingerprint(const wire::Request& request, std::string_view peer) {
  std::string_view machine = peer.substr(0, peer.rfind(':'));
  if (MUTANT("repeat-accepted-from-anyone")) machine = "";
  uint64_t names = xxh3_64(request.collection, xxh3_64(request.database, xxh3_64(machine, std::to_underlying(request.op))));
  return xxh3_128(request.args, names);
}

void RepeatTable::add(Hash128 fingerprint, Time now) {
  forget_old(now);
  while (!by_age_.empty() && by_age_.size() >= capacity_) forget_oldest();
  if (capacity_ == 0) return;
  by_age_.push_back({fingerprint, now});
  newest_[fingerprint] = now;
}

void RepeatTable::begin(uint64_t insert, Hash128 fingerprint) { under_way_[insert] = {fingerprint, ++begun_}; }

void RepeatTable::end(uint64_t insert, bool inserted, Time now) {
  auto at = under_way_.find(insert);
  if (at == under_way_.end()) return;
  if (inserted || MUTANT("refused-insert-may-be-repeated")) add(at->second.fingerprint, now);
  under_way_.erase(at);
}

bool RepeatTable::under_way(Hash128 fingerprint, uint64_t last_begun) const {
  return std::any_of(under_way_.begin(), under_way_.end(), [&](const auto& i) {
    return i.second.fingerprint == fingerprint && i.second.begun <= last_begun;
  });
}

bool RepeatTable::take(Hash128 fingerprint, Time now) {
  auto found = newest_.find(fingerprint);
  if (found == newest_.end() || now - found->second > window_) return false;
  if (!MUTANT("repeat-accepted-twice")) newest_.erase(found);
  return true;
}

void RepeatTable::forget_old(Time now) {
  while (!by_age_.empty() && now - by_age_.front().added > window_) forget_oldest();
}

void RepeatTable::forget_oldest() {
  Entry& oldest = by_age_.front();
  auto found = newest_.find(oldest.fingerprint);
  // It may have been taken, or added again since; its newer entry then takes it away.
  if (found != newest_.end() && found->second == oldest.added) newest_.erase(found);
  by_age_.pop_front();
}

}  // namespace holdfast::server
