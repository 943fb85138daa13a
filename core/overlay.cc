#include "core/overlay.h"

#include "io/base/probe.h"

namespace holdfast::core {

Overlay::Map::iterator Overlay::place(DocumentKeyView key) {
  auto at = documents_.find(key);
  return at != documents_.end() ? at : documents_.try_emplace(DocumentKey{key.collection, Buffer(key.key)}).first;
}

Overlay::Locked Overlay::try_lock(DocumentKeyView key) {
  auto at = place(key);
  if (at->second.locked_) return nullptr;
  at->second.locked_ = true;
  return &*at;
}

io::Task<Overlay::Locked> Overlay::lock(DocumentKeyView key) {
  Locked document = &*place(key);  // nodes do not move, and this one stays: it is locked, or we are among its waiters
  if (!document->second.locked_) {
    document->second.locked_ = true;
    co_return document;
  }
  // unlock() hands the lock to the first waiter without ever opening it: arrivals cannot overtake.
  co_await document->second.waiters_.wait();
  co_return document;
}

void Overlay::unlock(Locked document) {
  Document& d = document->second;
  HF_ASSERT(d.locked_, "only who locked a document unlocks it");
  d.applied_early_ = nullptr;
  if (!d.waiters_.empty()) {
    d.waiters_.notify_one();
    return;
  }
  d.locked_ = false;
  erase_if_idle(documents_.find(document->first));
}

void Overlay::applied(CollectionId collection, Bytes key, const Entry& entry) {
  auto at = documents_.find(DocumentKeyView{collection, key});
  if (at == documents_.end()) return;
  std::deque<PendingVersion>& pending = at->second.pending_;
  if (pending.empty() || pending.front().entry.get() != &entry) {
    // An entry over several documents may be applied before its versions were added. Its locks are still held: everything else comes before or after it.
    SOMETIMES(true, "applied-before-it-was-pending");
    if (!MUTANT("pending-when-applied-already")) at->second.applied_early_ = &entry;
    return;
  }
  pending.pop_front();
  erase_if_idle(at);
}

void Overlay::erase_if_idle(Map::iterator at) {
  const Document& d = at->second;
  if (!d.locked_ && d.pending_.empty() && d.waiters_.empty()) documents_.erase(at);
}

}  // namespace holdfast::core
