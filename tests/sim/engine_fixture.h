// EngineTest: the engine alone, on three cores of a simulated node, and how tests ask it.
#pragma once

#include <gtest/gtest.h>

#include "client/cli/ejson.h"
#include "core/engine.h"
#include "io/base/msgpack.h"
#include "sim/world.h"

namespace holdfast::test {

using namespace core;

inline constexpr Name kName{"db", "c"};

inline Buffer pack(std::string_view json) {
  auto value = cli::from_json(json);
  EXPECT_TRUE(value) << json;
  return value ? *value : Buffer();
}

inline std::string text(Bytes value) {
  auto json = cli::to_json(value);
  return json ? *json : json.error().text();
}

inline Modification update(std::string_view filter, std::string_view change) { return update_of(*Query::compile(pack(filter)), *Update::compile(pack(change))); }
inline Modification upsert(std::string_view filter, std::string_view change) {
  Modification m = update(filter, change);
  m.upsert = true;
  return m;
}
inline Modification removal(std::string_view filter) { return deletion_of(*Query::compile(pack(filter))); }

class EngineTest : public testing::Test {
 public:
  using Do = std::function<io::Task<void>(EngineTest&)>;

  void run(Do what) { run_lives({std::move(what)}); }
  /// One after the other on one disk; each ends by a power cut.
  void run_lives(std::vector<Do> lives) {
    sim::World world({.seed = 1});
    sim::Node& node = world.add_node("server");
    for (const Do& what : lives) {
      done_ = false;
      node.start([this, &what](io::Host& host) { return life(host, what); }, {.cores = 3});
      while (!done_) ASSERT_EQ(world.run({.until = Duration{world.now().ns} + milliseconds(50), .events = 1'000'000}), sim::World::Stop::kTimeLimit);
      node.kill(sim::End::kPowerLoss);
      engine.reset();
    }
  }

  io::Task<void> insert(std::string_view json) {
    std::string said = co_await insert_in(kName, json);
    EXPECT_EQ(said, "ok") << json;
  }
  /// "ok", or the error.
  io::Task<std::string> insert_in(Name name, std::string_view json) {
    Buffer d = pack(json);
    auto done = co_await engine->insert_one(name, d, Repeat::kNever);
    co_return done.result ? "ok" : done.result.error().text();
  }
  /// "matched modified", or the error.
  io::Task<std::string> many(Modification m, Name name = kName) {
    auto done = co_await engine->modify_many(name, m);
    co_return counts(done);
  }
  io::Task<std::string> one(Modification m, Name name = kName) {
    auto done = co_await engine->modify_one(name, m);
    co_return counts(done);
  }
  static std::string counts(const Reply<Modified>& done) {
    if (!done.result) return done.result.error().text();
    std::string out = std::to_string(done.result->matched) + " " + std::to_string(done.result->modified);
    if (done.result->upserted) out += " new " + text(*done.result->upserted);
    if (done.result->document) out += " " + text(*done.result->document);
    return out;
  }
  /// The documents that match, in the order of `_id`.
  io::Task<std::string> all(std::string_view query = "{}", Name name = kName) {
    Find find{.query = *Query::compile(pack(query)), .sort = Sort::by_id(), .projection = {}};
    auto found = co_await engine->find(name, find, {.answer = 64 << 20});
    if (!found.result) co_return found.result.error().text();
    std::string out;
    for (const Buffer& d : *found.result) out += (out.empty() ? "" : " ") + text(d);
    co_return out;
  }
  /// Runs `what` as a task of its own; settle() waits for all of them.
  io::Task<void> begin(std::function<io::Task<void>()> what) {
    ++under_way_;
    (co_await io::this_executor()).spawn(counted(std::move(what)));
  }
  io::Task<void> settle() {
    while (under_way_ > 0) co_await io::sleep_for(milliseconds(1));
  }

  EngineOptions options{.data_path = "/data", .shard_count = 16};
  std::unique_ptr<Engine> engine;

 private:
  io::Task<int> life(io::Host& host, const Do& what) {
    auto opened = co_await Engine::open(host, options);
    EXPECT_TRUE(opened);
    engine = std::move(*opened);
    co_await what(*this);
    done_ = true;
    co_await io::sleep_for(seconds(1000));
    co_return 0;
  }
  io::Task<void> counted(std::function<io::Task<void>()> what) {
    co_await what();
    --under_way_;
  }

  bool done_ = false;
  int under_way_ = 0;
};

}  // namespace holdfast::test
