#include "server/repeats.h"

namespace holdfast::server {

Hash128 insert_fingerprint(const wire::Request& request) {
  uint64_t names = xxh3_64(request.collection, xxh3_64(request.database, std::to_underlying(request.op)));
  return xxh3_128(request.args, names);
}

void RepeatTable::add(Hash128 fingerprint, Time now) {
  forget_old(now);
  while (!by_age_.empty() && by_age_.size() >= capacity_) forget_oldest();
  if (capacity_ == 0) return;
  by_age_.push_back({fingerprint, now});
  newest_[fingerprint] = now;
}

bool RepeatTable::contains(Hash128 fingerprint, Time now) const {
  auto found = newest_.find(fingerprint);
  return found != newest_.end() && now - found->second <= window_;
}

void RepeatTable::forget_old(Time now) {
  while (!by_age_.empty() && now - by_age_.front().added > window_) forget_oldest();
}

void RepeatTable::forget_oldest() {
  Entry& oldest = by_age_.front();
  auto found = newest_.find(oldest.fingerprint);
  // The same request may have been added again since; its newer entry then takes it away.
  if (found != newest_.end() && found->second == oldest.added) newest_.erase(found);
  by_age_.pop_front();
}

}  // namespace holdfast::server
