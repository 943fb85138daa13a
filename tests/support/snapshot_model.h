// SnapshotModel: a database of lists with snapshot isolation, small enough to be right by looking at it, with bugs that
// can be planted.
//
// Place in the system: for tests of the judges of transactions. A log of entries, and everything follows from it. One
// call is one moment.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "io/base/random.h"

namespace holdfast::test {

enum class Plant : uint8_t {
  kNone,
  kDirtyRead,         ///< what others have not committed is seen
  kRollbackApplies,   ///< what is rolled back is applied
  kConflictApplies,   ///< what is refused is applied
  kNoFirstCommitter,  ///< nobody looks whether a written key has changed
  kNoValidation,      ///< nobody looks whether a read key has changed
  kSnapshotMoves,     ///< reads see the newest
  kStaleSnapshot,     ///< a snapshot is older than what had been told
  kLabelsOld,         ///< a read of all says an LSN that is too low
  kDropsKey,          ///< a commit forgets one of its keys
  kTwoEntries,        ///< a commit of several keys is two entries
  kTwoEntriesOneKey,  ///< a commit of several values of a key is two entries
  kLostCommit,        ///< a commit is told, but not made
  kTwice,             ///< a request that is sent again is executed again
  kSwaps,             ///< entries stand in another order than was told
  kLsnOff,            ///< another LSN is told
  kNoReason,          ///< a commit is refused for nothing
  kNamesOther,        ///< a conflict names what the transaction has not touched
  kIntentsStay,       ///< who rolled back is still in the way
  kAgainAnother,      ///< asked again, a commit tells another LSN
  kSurvivesRestart,   ///< transactions that were open at a restart commit
  kForgottenCommits,  ///< transactions that had been declared unknown commit
  kForgetsOwn,        ///< a transaction does not see what it appended
  kLosesMiddle,       ///< a loss takes something from before the suffix
  kLostComesBack,     ///< what was lost is there again after the next restart
  kCount
};

class SnapshotModel {
 public:
  using Key = uint64_t;
  using Value = uint64_t;
  using List = std::vector<Value>;

  struct Outcome {
    enum Kind : uint8_t { kCommitted, kReadOnly, kConflict, kUnknown } kind = kUnknown;
    uint64_t number = 0;  ///< the LSN, or the key in conflict
  };

  SnapshotModel(Rng random, Plant plant, bool intents) : random_(random), plant_(plant), intents_(intents) {}

  uint64_t end() const { return log_.size(); }

  std::pair<uint64_t, uint64_t> begin(bool validated) {
    uint64_t snapshot =
        strikes(Plant::kStaleSnapshot) ? end() - std::min<uint64_t>(end(), random_.between(1, 3)) : end();
    open_[++last_] = {.snapshot = snapshot, .validated = validated, .reads = {}, .appends = {}};
    write_rest();
    return {last_, snapshot};
  }
  bool knows(uint64_t tx) const { return open_.contains(tx); }

  List read(uint64_t tx, Key key) {
    Open& t = open_.at(tx);
    t.reads.insert(key);
    List list = at(key, strikes(Plant::kSnapshotMoves) ? end() : t.snapshot);
    if (strikes(Plant::kDirtyRead))
      for (const auto& [other, o] : open_)
        if (other != tx) add(list, o.appends, key);
    if (!strikes(Plant::kForgetsOwn)) add(list, t.appends, key);
    return list;
  }

  /// A key in conflict, which ends the transaction.
  std::optional<Key> append(uint64_t tx, Key key, Value value) {
    Open& t = open_.at(tx);
    bool taken = intents_ &&
                 (std::ranges::any_of(open_, [&](const auto& o) { return o.first != tx && writes(o.second, key); }) ||
                  stuck_.contains(key));
    if (taken) {
      open_.erase(tx);
      return key;
    }
    t.appends.emplace_back(key, value);
    return {};
  }

  Outcome commit(uint64_t tx) {
    write_rest();
    if (auto known = outcomes_.find(tx); known != outcomes_.end()) {
      Outcome again = known->second;
      if (again.kind == Outcome::kCommitted && strikes(Plant::kAgainAnother)) ++again.number;
      return again;
    }
    auto at = open_.find(tx);
    if (at == open_.end()) {
      at = forgotten_.find(tx);
      if (at == forgotten_.end() || !strikes(Plant::kForgottenCommits)) return {};
      return finish(at->second);
    }
    Outcome outcome = finish(at->second);
    open_.erase(tx);
    return outcomes_[tx] = outcome;
  }

  void rollback(uint64_t tx) {
    write_rest();
    Open& t = open_.at(tx);
    if (strikes(Plant::kRollbackApplies) && !t.appends.empty()) log_.push_back(t.appends);
    if (strikes(Plant::kIntentsStay))
      for (auto [key, value] : t.appends) stuck_.insert(key);
    open_.erase(tx);
  }

  /// It was idle for too long.
  void expire(uint64_t tx) {
    forgotten_[tx] = open_.at(tx);
    open_.erase(tx);
  }

  /// A numbered request: executed once.
  uint64_t append_alone(uint64_t request, Key key, Value value) {
    if (auto done = requests_.find(request); done != requests_.end() && !strikes(Plant::kTwice)) return done->second;
    write_rest();
    log_.push_back({{key, value}});
    requests_[request] = end();
    return tell(end());
  }

  std::pair<uint64_t, std::map<Key, List>> all(Key keys) {
    std::map<Key, List> out;
    uint64_t snapshot = end();
    for (Key key = 0; key < keys; ++key) out[key] = at(key, snapshot);
    write_rest();
    return {strikes(Plant::kLabelsOld) ? snapshot - std::min<uint64_t>(snapshot, 2) : snapshot, out};
  }

  /// It ends, and comes back with so many entries.
  void restart(uint64_t survived) {
    rest_.clear();
    if (strikes(Plant::kLosesMiddle) && survived > 2) log_[survived - 1 - random_.below(2)].clear();
    std::vector<Entry> lost(log_.begin() + static_cast<ptrdiff_t>(survived), log_.end());
    log_.resize(survived);
    if (strikes(Plant::kLostComesBack)) log_.insert(log_.end(), lost_.begin(), lost_.end());
    lost_ = std::move(lost);
    std::erase_if(requests_, [&](const auto& r) { return r.second > survived; });
    if (!strikes(Plant::kSurvivesRestart)) open_.clear();
    outcomes_.clear();
    forgotten_.clear();
    stuck_.clear();
  }

 private:
  using Entry = std::vector<std::pair<Key, Value>>;
  struct Open {
    uint64_t snapshot = 0;
    bool validated = false;
    std::set<Key> reads;
    Entry appends;
  };

  bool strikes(Plant plant) { return plant_ == plant && random_.chance(1, 3); }
  uint64_t tell(uint64_t lsn) { return strikes(Plant::kLsnOff) ? lsn + 1 : lsn; }
  static bool writes(const Open& t, Key key) {
    return std::ranges::any_of(t.appends, [&](const auto& a) { return a.first == key; });
  }
  static void add(List& list, const Entry& entry, Key key) {
    for (auto [k, value] : entry)
      if (k == key) list.push_back(value);
  }
  List at(Key key, uint64_t lsn) const {
    List list;
    for (uint64_t i = 0; i < std::min(lsn, end()); ++i)
      add(list, log_[i], key);  // a snapshot may have outlived its log
    return list;
  }
  bool changed_since(Key key, uint64_t lsn) const { return at(key, end()).size() != at(key, lsn).size(); }

  Outcome finish(Open& t) {
    std::optional<Key> conflict;
    if (!strikes(Plant::kNoFirstCommitter))
      for (auto [key, value] : t.appends)
        if (changed_since(key, t.snapshot)) conflict = key;
    if (t.validated && !strikes(Plant::kNoValidation))
      for (Key key : t.reads)
        if (changed_since(key, t.snapshot)) conflict = key;
    if (!conflict && !t.appends.empty() && strikes(Plant::kNoReason)) conflict = t.appends[0].first;
    if (conflict && strikes(Plant::kConflictApplies)) write(t.appends);
    if (conflict) return {Outcome::kConflict, strikes(Plant::kNamesOther) ? 1000 : *conflict};
    if (t.appends.empty()) return {Outcome::kReadOnly, 0};
    write(t.appends);
    return {Outcome::kCommitted, tell(end())};
  }

  void write(Entry entry) {
    if (strikes(Plant::kLostCommit)) return log_.push_back({});
    if (strikes(Plant::kDropsKey))
      std::erase_if(entry, [last = entry.back().first](const auto& a) { return a.first == last; });
    if (strikes(Plant::kTwoEntries))
      return halve(entry, [first = entry[0].first](const auto& a) { return a.first == first; });
    if (strikes(Plant::kTwoEntriesOneKey))
      return halve(entry, [first = entry[0].second](const auto& a) { return a.second == first; });
    log_.push_back(entry);
    if (end() > 1 && strikes(Plant::kSwaps)) std::swap(log_[end() - 1], log_[end() - 2]);
  }
  template <class First>
  void halve(const Entry& entry, First first) {
    Entry one, other;
    for (const auto& a : entry) (first(a) ? one : other).push_back(a);
    log_.push_back(one);
    rest_ = other;
  }
  /// The other half of what should have been one entry: whoever looks before it is there sees the first half alone.
  void write_rest() {
    if (!rest_.empty()) log_.push_back(std::exchange(rest_, {}));
  }

  Rng random_;
  Plant plant_;
  bool intents_;
  std::vector<Entry> log_;  // the entry at LSN n is the one before n
  std::vector<Entry> lost_;
  Entry rest_;
  std::map<uint64_t, Open> open_, forgotten_;
  std::map<uint64_t, Outcome> outcomes_;
  std::map<uint64_t, uint64_t> requests_;
  std::set<Key> stuck_;
  uint64_t last_ = 0;
};

}  // namespace holdfast::test
