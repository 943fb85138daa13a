// AppendStory: tells an AppendHistory what happens, LSNs as plain numbers, and keeps the first sentence. For tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "chaos/oracle/append_history.h"

namespace holdfast::chaos {

using Id = AppendHistory::TransactionId;
using List = AppendHistory::List;
using Lists = std::map<AppendHistory::Key, List>;
constexpr auto kFromSnapshot = AppendHistory::Reads::kFromSnapshot;
constexpr auto kValidated = AppendHistory::Reads::kValidated;

class AppendStory {
 public:
  AppendHistory history;
  std::string wrong;

  Id begin(uint64_t snapshot, AppendHistory::Reads reads = kFromSnapshot) {
    Id id = history.begin(reads, Lsn(told_));
    note(history.begun(id, Lsn(snapshot)));
    return id;
  }
  void append(Id id, AppendHistory::Key key, AppendHistory::Value value) { history.append(id, key, value); }
  void read(Id id, AppendHistory::Key key, const List& list) { note(history.read(id, key, list)); }
  void ask_commit(Id id) { history.commit(id, Lsn(told_)); }
  void commit(Id id, uint64_t lsn) {
    ask_commit(id);
    committed(id, lsn);
  }
  void committed(Id id, uint64_t lsn) {
    note(history.committed(id, Lsn(lsn)));
    told_ = std::max(told_, lsn);
  }
  void commit_read_only(Id id) {
    ask_commit(id);
    note(history.committed_without_entry(id));
  }
  /// One that appends a value to each of some keys, and is told where it stands.
  Id writes(uint64_t snapshot, uint64_t lsn, const Lists& lists) {
    Id id = begin(snapshot);
    for (const auto& [key, list] : lists)
      for (auto value : list) append(id, key, value);
    commit(id, lsn);
    return id;
  }
  /// One that has asked to commit and gets no answer.
  Id asks(uint64_t snapshot, const Lists& lists) {
    Id id = begin(snapshot);
    for (const auto& [key, list] : lists)
      for (auto value : list) append(id, key, value);
    ask_commit(id);
    history.given_up(id);
    return id;
  }
  void saw(uint64_t snapshot, const Lists& lists) { note(history.saw(history.look(Lsn(told_)), lists, Lsn(snapshot))); }
  /// A look that was asked for before anybody was told anything.
  void saw_earlier(uint64_t snapshot, const Lists& lists) {
    note(history.saw({Lsn(), history.epoch(), 1}, lists, Lsn(snapshot)));
  }
  void restarted(uint64_t survived, bool lossy) {
    for (const auto& sentence : history.restarted(Lsn(survived), lossy)) note(sentence);
    if (lossy) told_ = std::min(told_, survived);
  }
  void note(const std::string& sentence) {
    if (wrong.empty()) wrong = sentence;
  }
  std::string verdict() {
    if (wrong.empty())
      for (const auto& sentence : history.judge()) note(sentence);
    return wrong;
  }
  void told(uint64_t lsn) { told_ = lsn; }

 private:
  uint64_t told_ = 0;
};

#define EXPECT_RIGHT(story) EXPECT_EQ((story).verdict(), "")
#define EXPECT_WRONG(story, part) \
  EXPECT_NE((story).verdict().find(part), std::string::npos) << "'" << (story).verdict() << "'"

}  // namespace holdfast::chaos
