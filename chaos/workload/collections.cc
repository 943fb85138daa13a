#include "chaos/workload/collections.h"

#include <fmt/core.h>

#include <algorithm>

#include "chaos/workload/documents.h"
#include "chaos/workload/pause.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

constexpr const char* kOther = "other";
Buffer everything() { return Buffer("\x80"); }

}  // namespace

struct Collections::Session {
  Session(io::Host& h, client::Options options, Rng stream) : client(h, std::move(options)), random(stream) {}
  client::Client client;
  Rng random;
  client::Collection at(const Name& name) { return client.collection(name.second, name.first); }
};

std::vector<Collections::Name> Collections::names() const {
  std::vector<Name> out;
  for (const char* database : {"", kOther})
    for (uint64_t i = 0; i < options_.collections; ++i) out.emplace_back(database, fmt::format("c{}", i));
  return out;
}

Collections::Name Collections::pick(Session& s) const {
  std::vector<Name> all = names();
  return all[s.random.below(all.size())];
}

/// What every answer to a change comes down to. True: it was done.
template <class T>
bool Collections::take(OperationId id, const Result<T>& result) {
  ++asked_;
  if (result) return true;
  switch (result.error().code) {
    case Code::kInternal:
      if (!tolerate_internal) ledger_.violation("the server reports a fault of its own: " + result.error().text());
      [[fallthrough]];
    case Code::kUnknownOutcome:
      collections_.abandoned(id);
      return false;
    case Code::kDuplicateKey:
      ledger_.violation("an id that nobody else uses was refused: " + result.error().text());
      [[fallthrough]];
    default:
      if (result.error().code == Code::kCorrupt && !tolerate_corrupt) ledger_.violation("without any media fault the server said: " + result.error().text());
      collections_.refused(id);
      return false;
  }
}

void Collections::failed_read(const Error& error) {
  if (ledger_.tell) ledger_.tell("a read of collections failed: " + error.text());
  if (error.code == Code::kCorrupt && !tolerate_corrupt) ledger_.violation("without any media fault the server said: " + error.text());
}

// ---- Changing ----

io::Task<void> Collections::insert(Session& s, Name name, uint64_t documents) {
  std::vector<std::string> keys;
  std::vector<Buffer> bodies;
  for (uint64_t i = 0; i < documents; ++i) {
    uint64_t value = ++last_value_;
    keys.push_back(fmt::format("d{}", value));
    bodies.push_back(make_document(keys.back(), value));
    written_[keys.back()] = {name, value};
    keys_[name].push_back(keys.back());
  }
  OperationId id = collections_.insert(name, std::move(keys));
  if (documents == 1) {
    auto done = co_await s.at(name).insert_one(std::move(bodies.front()));
    if (take(id, done)) collections_.done(id, done->lsn, done->durable_lsn);
  } else {
    auto done = co_await s.at(name).insert_many(std::move(bodies));
    if (take(id, done)) collections_.done(id, done->lsn, done->durable_lsn);
  }
}

io::Task<void> Collections::drop(Session& s, Name name) {
  // One open outcome at a time can be told from what is seen.
  if (collections_.drops_open(name) > 0) co_return;
  OperationId id = collections_.drop(name);
  auto done = co_await s.at(name).drop();
  if (!take(id, done)) co_return;
  ++drops_;
  collections_.done(id, done->lsn, done->durable_lsn);
}

io::Task<void> Collections::create(Session& s, Name name) {
  OperationId id = collections_.create(name);
  auto done = co_await s.at(name).create();
  if (take(id, done)) collections_.done(id, done->lsn, done->durable_lsn);
}

// ---- Reading ----

std::optional<std::string> Collections::key_of(const Name& name, Bytes document) {
  Result<ReadDocument> read = read_document(document);
  if (!read) {
    ledger_.violation(read.error().message);
    return std::nullopt;
  }
  auto at = written_.find(read->key);
  if (at != written_.end() && at->second == std::pair(name, read->state.value) && read->state.counter == 0) return read->key;
  ledger_.violation(fmt::format("{}/{} shows {} with {}, which nobody wrote there", name.first, name.second, read->key, text(read->state)));
  return std::nullopt;
}

io::Task<bool> Collections::read(Session& s, Name name, std::string key) {
  CollectionLedger::Look look = collections_.look();
  auto done = co_await s.at(name).find_by_id(key);
  ++asked_;
  if (!done) {
    failed_read(done.error());
    co_return false;
  }
  if (done->value && key_of(name, *done->value) != key) co_return true;
  collections_.saw(look, name, key, done->value.has_value(), done->lsn, done->durable_lsn);
  co_return true;
}

io::Task<bool> Collections::find_all(Session& s, Name name) {
  CollectionLedger::Look look = collections_.look();
  auto done = co_await s.at(name).find(everything());
  ++asked_;
  if (!done) {
    failed_read(done.error());
    co_return false;
  }
  std::set<std::string> shown;
  Bytes document;
  for (auto it = done->value.begin(); it.next(document);)
    if (auto key = key_of(name, document); key && !shown.insert(*key).second) ledger_.violation("a find shows " + *key + " twice");
  collections_.saw_all(look, name, shown, done->lsn);
  co_return true;
}

io::Task<bool> Collections::export_all(Session& s, Name name) {
  CollectionLedger::Look look = collections_.look();
  client::DocumentStream stream = s.at(name).export_all(s.random.between(1, 2000));
  std::set<std::string> shown;
  ++asked_;
  for (;;) {
    auto part = co_await stream.next();
    if (!part) {
      failed_read(part.error());
      co_return false;
    }
    if (!*part) break;
    Bytes document;
    for (auto it = (*part)->begin(); it.next(document);)
      if (auto key = key_of(name, document); key && !shown.insert(*key).second) ledger_.violation("an export shows " + *key + " twice");
  }
  collections_.saw_all(look, name, shown, stream.lsn());
  co_return true;
}

/// Slowly, so that the collection may be dropped meanwhile, and made again.
io::Task<bool> Collections::stream_all(Session& s, Name name) {
  CollectionLedger::Look look = collections_.look();
  client::FindOptions options;
  if (s.random.below(2) == 0) msgpack::Writer(options.sort).map(1).string("v").integer(s.random.below(2) == 0 ? 1 : -1);
  client::DocumentStream stream = s.at(name).stream(everything(), std::move(options), {.documents = s.random.between(1, 4)});
  std::set<std::string> shown;
  ++asked_;
  for (;;) {
    auto page = co_await stream.next();
    if (!page) {
      failed_read(page.error());
      co_return false;
    }
    if (!*page) break;
    Bytes document;
    for (auto it = (*page)->begin(); it.next(document);)
      if (auto key = key_of(name, document); key && !shown.insert(*key).second) ledger_.violation("a stream shows " + *key + " twice");
    co_await io::sleep_for(drawn_pause(s.random, options_.pause_max));
  }
  collections_.saw_all(look, name, shown, stream.lsn());
  co_return true;
}

io::Task<bool> Collections::count(Session& s, Name name) {
  CollectionLedger::Look look = collections_.look();
  auto done = co_await s.at(name).count();
  ++asked_;
  if (!done) co_return false;
  collections_.saw_count(look, name, done->value, done->lsn);
  co_return true;
}

io::Task<bool> Collections::exists(Session& s, Name name) {
  CollectionLedger::Look look = collections_.look();
  auto done = co_await s.at(name).exists();
  ++asked_;
  if (!done) co_return false;
  collections_.saw_exists(look, name, done->value, done->lsn, done->durable_lsn);
  co_return true;
}

io::Task<bool> Collections::list(Session& s, std::string database) {
  CollectionLedger::Look look = collections_.look();
  auto done = co_await s.client.list_collections(database);
  ++asked_;
  if (!done) co_return false;
  for (const Name& name : names()) {
    if (name.first != database) continue;
    bool there = std::find(done->value.begin(), done->value.end(), name.second) != done->value.end();
    collections_.saw_exists(look, name, there, done->lsn, done->durable_lsn);
  }
  co_return true;
}

io::Task<bool> Collections::database_exists(Session& s) {
  CollectionLedger::Look look = collections_.look();
  auto done = co_await s.client.database_exists(kOther);
  ++asked_;
  if (!done) co_return false;
  collections_.saw_database(look, kOther, done->value, done->lsn, done->durable_lsn);
  co_return true;
}

// ---- Clients ----

io::Task<void> Collections::step(Session& s) {
  Name name = pick(s);
  if (options_.streams && s.random.below(4) == 0) {
    co_await stream_all(s, name);
    co_return;
  }
  if (s.random.below(100) < options_.drops) {
    // Also what is not there any more.
    for (uint64_t n = s.random.between(1, 3); n > 0; --n) co_await drop(s, name);
    co_return;
  }
  switch (s.random.below(20)) {
    case 0: case 1: case 2: case 3: case 4: case 5: case 6:
      co_return co_await insert(s, name, 1);
    case 7: case 8:
      co_return co_await insert(s, name, s.random.between(2, 5));
    case 9:
      co_return co_await create(s, name);
    case 10:
      co_await export_all(s, name);
      co_return;
    case 11: case 12:
      co_await find_all(s, name);
      co_return;
    case 13:
      co_await count(s, name);
      co_return;
    case 14:
      co_await exists(s, name);
      co_return;
    case 15:
      co_await list(s, name.first);
      co_return;
    case 16:
      co_await database_exists(s);
      co_return;
    default: {
      const std::vector<std::string>& keys = keys_[name];
      // Mostly what is new: the old has been dropped long ago.
      size_t back = s.random.below(4) == 0 ? keys.size() : std::min<size_t>(keys.size(), 4);
      if (back > 0) co_await read(s, name, keys[keys.size() - 1 - s.random.below(back)]);
      co_return;
    }
  }
}

io::Task<void> Collections::run_client(io::Host& host, int index) {
  client::Options options{.server = options_.server,
                          .login = options_.login,
                          .connections = 2,
                          .timeout = options_.timeout,
                          .connect_timeout = options_.timeout,
                          .max_attempts = 4,
                          .sessions = options_.sessions};
  Session s(host, options, random_.fork(fmt::format("collections {}", index)));
  for (uint64_t n = 0; n < options_.operations; ++n) {
    co_await step(s);
    co_await io::sleep_for(drawn_pause(s.random, options_.pause_max));
  }
  co_await s.client.close();
}

io::Task<bool> Collections::verify(io::Host& host) {
  client::Options options{
      .server = options_.server, .login = options_.login, .connections = 1, .timeout = seconds(30), .max_attempts = 20};
  Session s(host, options, random_.fork(fmt::format("verify {}", asked_)));
  bool all = co_await database_exists(s);
  const auto keys = keys_;  // clients may go on
  for (const Name& name : names()) {
    all = co_await exists(s, name) && all;
    if (auto of = keys.find(name); of != keys.end())
      for (const std::string& key : of->second) all = co_await read(s, name, key) && all;
    all = co_await find_all(s, name) && all;
    all = co_await export_all(s, name) && all;
    all = co_await count(s, name) && all;
  }
  for (const char* database : {"", kOther}) all = co_await list(s, database) && all;
  co_await s.client.close();
  co_return all;
}

}  // namespace holdfast::chaos
