// The judge of transactions over whole histories: those of a correct database with snapshot isolation pass, whatever is
// lost and restarted on the way, and each bug that is planted in it is found.
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>

#include "chaos/oracle/append_history.h"
#include "tests/support/snapshot_model.h"

namespace holdfast::chaos {
namespace {

using test::Plant;
using test::SnapshotModel;
using Outcome = SnapshotModel::Outcome;

/// Clients whose questions, and the answers to them, overlap as they are drawn.
class World {
 public:
  static constexpr uint64_t kKeys = 5;
  struct Options {
    bool lossy = false;
    bool intents = false;
    size_t steps = 2000;
  };
  AppendHistory history;
  std::string online;  ///< the first sentence while it ran
  std::map<Outcome::Kind, size_t> outcomes;

  World(uint64_t seed, Plant plant, Options options)
      : random_(seed, "clients"),
        options_(options),
        server_(Rng(seed, "server"), plant, options.intents),
        clients_(5) {}

  void run() {
    for (size_t i = 0; i < options_.steps; ++i) {
      if (random_.chance(1, 200)) restart();
      Client& c = clients_[random_.below(clients_.size())];
      if (c.steps.empty()) next(c);
      auto step = std::move(c.steps.front());
      c.steps.pop_front();
      step();
    }
    auto look = history.look(told_);
    auto [lsn, lists] = server_.all(kKeys);
    note(history.saw(look, lists, Lsn(lsn)));
  }

 private:
  struct Client {
    std::deque<std::function<void()>> steps;  // of what is under way: asked, executed, answered
    bool open = false;
    bool asked = false;  // to commit
    AppendHistory::TransactionId id = 0;
    uint64_t tx = 0;
    AppendHistory::TransactionId alone = 0;  // a single append without an answer …
    SnapshotModel::Key key = 0;              // … and what it appends
    uint64_t value = 0;
  };

  void note(const std::string& sentence) {
    if (online.empty()) online = sentence;
  }
  void told(uint64_t lsn) { told_ = std::max(told_, Lsn(lsn)); }

  void next(Client& c) {
    uint64_t what = random_.below(100);
    if (c.alone != 0) return again_alone(c);
    if (!c.open) return what < 20 ? look(c) : what < 35 ? append_alone(c) : begin(c);
    if (c.asked) return commit(c);
    if (!server_.knows(c.tx) || what < 2) return lose_track(c);
    if (what < 40) return read(c);
    if (what < 75) return append(c);
    if (what < 80) return roll_back(c);
    commit(c);
  }

  void begin(Client& c) {
    bool validated = random_.chance(1, 2);
    c.steps.push_back([&, validated] {
      c.id = history.begin(validated ? AppendHistory::Reads::kValidated : AppendHistory::Reads::kFromSnapshot, told_);
    });
    auto answer = std::make_shared<std::pair<uint64_t, uint64_t>>();
    c.steps.push_back([&, validated, answer] { *answer = server_.begin(validated); });
    c.steps.push_back([&, answer] {
      c.open = true, c.asked = false, c.tx = answer->first;
      note(history.begun(c.id, Lsn(answer->second)));
      told(answer->second);
    });
  }

  void read(Client& c) {
    auto key = random_.below(kKeys);
    auto list = std::make_shared<SnapshotModel::List>();
    c.steps.push_back([&, key, list] { *list = server_.read(c.tx, key); });
    c.steps.push_back([&, key, list] { note(history.read(c.id, key, *list)); });
  }

  void append(Client& c) {
    auto key = random_.below(kKeys), value = ++last_value_;
    auto conflict = std::make_shared<std::optional<SnapshotModel::Key>>();
    c.steps.push_back([&, key, value] { history.append(c.id, key, value); });
    c.steps.push_back([&, key, value, conflict] { *conflict = server_.append(c.tx, key, value); });
    c.steps.push_back([&, conflict] {
      if (!*conflict) return;
      note(history.conflicted(c.id, **conflict));
      c.open = false;
    });
  }

  void roll_back(Client& c) {
    c.steps.push_back([&] { server_.rollback(c.tx); });
    c.steps.push_back([&] { note(history.rolled_back(c.id)), c.open = false; });
  }

  /// The server has forgotten the transaction; some ask to commit all the same.
  void lose_track(Client& c) {
    c.steps.push_back([&] {
      if (server_.knows(c.tx)) server_.expire(c.tx);
      history.not_known(c.id);
      c.open = random_.chance(1, 2);
      c.asked = c.open;
    });
  }

  void commit(Client& c) {
    auto outcome = std::make_shared<Outcome>();
    c.steps.push_back([&] { history.commit(c.id, told_), c.asked = true; });
    c.steps.push_back([&, outcome] { *outcome = server_.commit(c.tx); });
    c.steps.push_back([&, outcome] {
      uint64_t what = random_.below(10);
      if (what == 0) return;  // the answer is lost, and one asks again
      if (what == 1) {
        history.given_up(c.id);
      } else {
        answered(c, *outcome);
        if (what == 2) return;  // asked again for no reason
      }
      c.open = false;
    });
  }

  void answered(Client& c, Outcome outcome) {
    ++outcomes[outcome.kind];
    switch (outcome.kind) {
      case Outcome::kCommitted:
        note(history.committed(c.id, Lsn(outcome.number)));
        return told(outcome.number);
      case Outcome::kReadOnly:
        return note(history.committed_without_entry(c.id));
      case Outcome::kConflict:
        return note(history.conflicted(c.id, outcome.number));
      case Outcome::kUnknown:
        return history.not_known(c.id);
    }
  }

  void append_alone(Client& c) {
    c.key = random_.below(kKeys), c.value = ++last_value_;
    c.steps.push_back([&] { c.alone = history.append_alone(c.key, c.value, told_); });
    again_alone(c);
  }

  void again_alone(Client& c) {
    auto lsn = std::make_shared<uint64_t>();
    c.steps.push_back([&, lsn] { *lsn = server_.append_alone(c.alone, c.key, c.value); });
    c.steps.push_back([&, lsn] {
      uint64_t what = random_.below(10);
      if (what == 0) return;
      if (what == 1) {
        history.given_up(c.alone);
      } else {
        note(history.committed(c.alone, Lsn(*lsn)));
        told(*lsn);
        if (what == 2) return;
      }
      c.alone = 0;
    });
  }

  void look(Client& c) {
    auto look = std::make_shared<AppendHistory::Look>();
    auto seen = std::make_shared<std::pair<uint64_t, std::map<SnapshotModel::Key, SnapshotModel::List>>>();
    c.steps.push_back([&, look] { *look = history.look(told_); });
    c.steps.push_back([&, seen] { *seen = server_.all(kKeys); });
    c.steps.push_back([&, look, seen] {
      note(history.saw(*look, seen->second, Lsn(seen->first)));
      told(seen->first);
    });
  }

  /// What is under way gets no answer; some ask again, of the next life.
  void restart() {
    uint64_t survived =
        options_.lossy ? server_.end() - random_.below(std::min<uint64_t>(server_.end(), 6) + 1) : server_.end();
    for (Client& c : clients_) {
      c.steps.clear();
      if (c.id != 0 && !c.open) history.given_up(c.id);
      // Whoever was told what is lost now asks no more.
      if (c.alone != 0 && (options_.lossy || random_.chance(1, 2))) history.given_up(std::exchange(c.alone, 0));
    }
    server_.restart(survived);
    for (const auto& sentence : history.restarted(Lsn(survived), options_.lossy)) note(sentence);
    if (options_.lossy) told_ = std::min(told_, Lsn(survived));
    for (Client& c : clients_)
      if (c.open && random_.chance(1, 2)) c.asked = true;  // and will see that it has ended
  }

  Rng random_;
  Options options_;
  SnapshotModel server_;
  std::vector<Client> clients_;
  uint64_t last_value_ = 0;
  Lsn told_;
};

TEST(AppendModel, ACorrectDatabasePasses) {
  std::map<Outcome::Kind, size_t> outcomes;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    World world(seed, Plant::kNone, {.lossy = seed % 3 == 0, .intents = seed % 2 == 0});
    world.run();
    ASSERT_EQ(world.online, "") << "seed " << seed;
    for (const auto& sentence : world.history.judge()) FAIL() << "seed " << seed << ": " << sentence;
    for (auto [kind, count] : world.outcomes) outcomes[kind] += count;
  }
  for (auto kind : {Outcome::kCommitted, Outcome::kReadOnly, Outcome::kConflict, Outcome::kUnknown})
    EXPECT_GT(outcomes[kind], 4000u) << "kind " << int(kind) << ": these histories are not worth much";
}

struct Found {
  size_t online = 0, places = 0, cycles = 0, any = 0;
};

Found look_for(Plant plant, size_t seeds) {
  bool loses = plant == Plant::kLosesMiddle || plant == Plant::kLostComesBack;
  Found found;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    World world(seed, plant,
                {.lossy = loses || seed % 5 == 0, .intents = plant == Plant::kIntentsStay || seed % 4 == 0});
    world.run();
    bool online = !world.online.empty(), places = !world.history.judge_places().empty(),
         cycles = !world.history.judge_cycles().empty();
    found.online += online, found.places += places, found.cycles += cycles, found.any += online || places || cycles;
  }
  return found;
}

TEST(AppendModel, EachPlantedBugIsFound) {
  for (uint8_t p = 1; p < static_cast<uint8_t>(Plant::kCount); ++p) {
    Found found = look_for(static_cast<Plant>(p), 40);
    EXPECT_GE(found.any, 10u) << "bug " << int(p);
  }
}

/// What LSNs show is found without them, too: by what was read alone.
TEST(AppendModel, IsolationIsJudgedByTheListsAlone) {
  for (Plant plant : {Plant::kNoFirstCommitter, Plant::kNoValidation, Plant::kSnapshotMoves, Plant::kStaleSnapshot,
                      Plant::kTwoEntries})
    EXPECT_GE(look_for(plant, 40).cycles, 5u) << "bug " << int(plant);
}

}  // namespace
}  // namespace holdfast::chaos
