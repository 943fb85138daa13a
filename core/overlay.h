// Overlay: what is evaluated but not yet committed, per document, and the lock under which a document is evaluated.
//
// Place in the system: one per engine core, read by evaluation only. Nothing uncommitted is anywhere else; undoing would be dropping it from here.
//
// A document has an entry here while a request evaluates it (the lock), waits to (the queue, in order of arrival) or has posted effects that are
// not applied yet (pending versions, in LSN order). The lock is held from before the document is looked at until its effect is among the pending versions, or,
// for an entry over several documents, until the LSN of that entry is known. Whoever locks several documents locks them in the order of DocumentKey,
// over all cores in the order of cores: so there is no deadlock, and nobody needs to give up a lock.
//
// There is no guard object: in a simulated crash frames die in any order, and a destructor that touches the overlay would touch freed memory.
// Callers unlock on every path.
#pragma once

#include <absl/container/node_hash_map.h>

#include <deque>

#include "core/entry.h"
#include "io/sync.h"

namespace holdfast::core {

/// An entry on its way: what the core that posted it waits for.
struct Submission : Entry {
  explicit Submission(CoreId from) : origin(from) {}
  CoreId origin;
  /// Set on the origin's core when the entry is committed and that core has applied it.
  mutable io::Event applied;
};
using SubmissionRef = std::shared_ptr<Submission>;

/// A document anywhere in the server: its collection and the key of its id. The view borrows the key.
struct DocumentKeyView {
  CollectionId collection;
  Bytes key;
  auto operator<=>(const DocumentKeyView&) const = default;
};
struct DocumentKey {
  CollectionId collection;
  Buffer key;
  operator DocumentKeyView() const { return {collection, key}; }
};

/// A version that waits to be committed. `body` is empty for a deletion.
struct PendingVersion {
  SubmissionRef entry;
  bool exists = false;
  Bytes body;  ///< inside entry->effects
};

class Overlay {
 public:
  explicit Overlay(IdHasher hasher) : documents_(0, Hash{hasher}) {}

  class Document {
   public:
    /// The newest pending version; null when there is none and the committed one counts.
    const PendingVersion* newest() const { return pending_.empty() ? nullptr : &pending_.back(); }
    /// Nothing happens if that entry's effect on this document is applied already.
    void add(PendingVersion version) {
      if (version.entry.get() != applied_early_) pending_.push_back(std::move(version));
    }

   private:
    friend class Overlay;
    bool locked_ = false;
    io::WaitList waiters_;
    std::deque<PendingVersion> pending_;
    const Entry* applied_early_ = nullptr;  ///< by whoever holds the lock, before its version was added
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(DocumentKeyView k) const { return static_cast<size_t>(hasher(k.collection, k.key)); }
    IdHasher hasher;
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(DocumentKeyView a, DocumentKeyView b) const { return a == b; }
  };
  using Map = absl::node_hash_map<DocumentKey, Document, Hash, Equal>;
  /// A document's place; valid while it is locked.
  using Locked = Map::value_type*;

  /// Waits its turn and locks.
  io::Task<Locked> lock(DocumentKeyView key);
  /// Locks if that needs no waiting; null otherwise.
  Locked try_lock(DocumentKeyView key);
  void unlock(Locked document);

  /// The effect of `entry` on that document is applied: its version, if it has one here, leaves.
  void applied(CollectionId collection, Bytes key, const Entry& entry);

  size_t size() const { return documents_.size(); }

 private:
  Map::iterator place(DocumentKeyView key);
  void erase_if_idle(Map::iterator at);
  Map documents_;
};

}  // namespace holdfast::core
