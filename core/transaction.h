// Transaction: what one transaction has seen and what it wants written, until it ends.
//
// Place in the system: Transactions (transactions.h) keeps those that are open. Pure state; on core 0. While a request of the transaction runs other cores
// read it, and nobody changes it.
//
// A transaction reads at one snapshot, and its own writes over it. What it writes stays here: whole documents and deletions, one per document, the last one
// counts. Nothing of it is visible to anybody, nor locked, before it commits.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "core/catalog.h"
#include "core/entry.h"
#include "io/base/time.h"
#include "io/sync.h"

namespace holdfast::core {

struct TransactionOptions {
  /// Everything that it reads is to be unchanged when it commits, as if it had written it. Of a query: the documents that were found (not those that others add).
  bool validate_reads = false;
};

/// What a transaction has to do with one collection.
struct TransactionCollection {
  struct Write {
    EffectKind kind = EffectKind::kPut;
    Buffer body;  ///< kPut
  };
  /// By key of the id.
  using Writes = std::map<Buffer, Write, std::less<>>;

  std::string database;
  std::string name;
  std::optional<CollectionRef> ref;  ///< at the snapshot
  Writes writes;
  std::set<Buffer, std::less<>> reads;  ///< to be validated

  const Write* written(Bytes key) const {
    auto at = writes.find(key);
    return at == writes.end() ? nullptr : &at->second;
  }
};

struct Transaction {
  uint64_t number = 0;
  uint64_t secret = 0;  ///< drawn: numbers can be guessed, and begin anew with every start
  TransactionOptions options;
  Lsn snapshot;  ///< open on every core until it ends
  std::shared_ptr<const Catalog> catalog;  ///< at the snapshot
  Time begun, used;
  uint32_t users = 0;        ///< requests, running and waiting
  bool ended = false;        ///< what waits for its turn comes too late
  bool too_costly = false;   ///< its snapshot takes too much memory: it ends as soon as no request uses it
  io::Semaphore turn{1};     ///< one request at a time, in order of arrival
  std::map<std::pair<std::string, std::string>, TransactionCollection> collections;
  uint64_t bytes = 0;        ///< of writes, as an entry has them, and of reads to be validated
  uint64_t writes = 0;

  std::map<ShardId, Lsn> mutant_snapshots;

  bool knows(std::string_view database, std::string_view name) const { return collections.contains(std::pair(std::string(database), std::string(name))); }
  TransactionCollection& collection(std::string_view database, std::string_view name);
};

/// What a write takes in an entry, about.
inline uint64_t entry_bytes(Bytes key, Bytes body) { return key.size() + body.size() + kEffectOverhead; }

/// What a client is told of a transaction: 32 hex digits.
Buffer transaction_id(uint64_t number, uint64_t secret);
/// Number and secret; nothing for what is no such id.
std::optional<std::pair<uint64_t, uint64_t>> read_transaction_id(Bytes id);

}  // namespace holdfast::core
