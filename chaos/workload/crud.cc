#include "chaos/workload/crud.h"

#include <fmt/core.h>

#include "chaos/workload/documents.h"
#include "chaos/workload/pause.h"
#include "chaos/workload/questions.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

using Kind = Operation::Kind;
using Effect = Ledger::Effect;

Effect own_if(bool changed) { return changed ? Effect::kOwnEntry : Effect::kNone; }

/// A document with many operations under way is left alone: the orders in which they may have happened are too many to go through.
constexpr size_t kUnderWayMax = 4;

constexpr const char* kCollections[] = {"docs", "once", "many"};

std::string name(const std::string& collection, const std::string& key) { return collection + "/" + key; }

}  // namespace

struct Crud::Session {
  Session(io::Host& h, client::Options options, Rng stream) : host(h), client(h, std::move(options)), own(stream), random(stream) {}
  io::Host& host;
  client::Client client;
  Rng own;     // of the client
  Rng random;  // of the current operation
  uint64_t last_value = 0;

  void begin(int client, uint64_t operation) {
    random = own.fork(fmt::format("operation {}", operation));
    last_value = (operation + 1) * 10'000 + static_cast<uint64_t>(client) * 100;
  }
  /// No other operation of any client writes the same. To be read as: operation, client (two digits), which of its writes (two digits).
  uint64_t new_value() { return ++last_value; }
  client::Collection collection(const std::string& name) { return client.collection(name); }
};

template <class T>
bool Crud::take(OperationId id, const Result<client::Answer<T>>& result) {
  ++counts_.asked;
  if (result) {
    ++counts_.answered;
    return true;
  }
  switch (result.error().code) {
    case Code::kDuplicateKey:
      ++counts_.answered;
      ledger_.answer(id, {.done = false}, Effect::kNone, Lsn(), Lsn());
      return false;
    case Code::kInternal:
      if (!tolerate_internal) ledger_.violation("the server reports a fault of its own: " + result.error().text());
      [[fallthrough]];
    case Code::kUnknownOutcome:
      ++counts_.unknown;
      ledger_.abandoned(id);
      return false;
    case Code::kCorrupt:
      if (!tolerate_corrupt) ledger_.violation("without any media fault the server said: " + result.error().text());
      [[fallthrough]];
    default:
      ++counts_.refused;
      ledger_.refused(id);
      return false;
  }
}

std::string Crud::pick_key(Session& s) { return fmt::format("k{}", s.random.below(options_.keys)); }

std::string Crud::fresh_key(Session& s) {
  std::string key(60, 'a');
  for (char& c : key) {
    auto i = static_cast<char>(s.random.below(52));
    c = static_cast<char>(i < 26 ? 'a' + i : 'A' + i - 26);
  }
  return key;
}

io::Task<void> Crud::insert(Session& s) {
  std::string key = pick_key(s);
  if (ledger_.under_way(name("docs", key)) >= kUnderWayMax) co_return;
  uint64_t value = s.new_value();
  OperationId id = ledger_.invoke(name("docs", key), {.kind = Kind::kInsert, .value = value});
  auto done = co_await s.collection("docs").insert_one(make_document(key, value));
  if (take(id, done)) ledger_.answer(id, {.done = true}, Effect::kOwnEntry, done->lsn, done->durable_lsn);
}

io::Task<std::optional<Code>> Crud::insert_once(Session& s) {
  std::string key = fresh_key(s);
  uint64_t value = s.new_value();
  once_.push_back(key);
  OperationId id = ledger_.invoke(name("once", key), {.kind = Kind::kInsert, .value = value, .repeatable = true});
  auto done = co_await s.collection("once").insert_one(make_document(key, value));
  if (!take(id, done)) co_return done.error().code;
  // A repeat is answered with an LSN that covers the first one's; it need not be its own.
  ledger_.answer(id, {.done = true}, Effect::kSomeEntry, done->lsn, done->durable_lsn);
  co_return std::nullopt;
}

io::Task<void> Crud::insert_batch(Session& s) {
  std::vector<std::string> keys;
  std::vector<Buffer> documents;
  std::vector<OperationId> ids;
  // Now and then a batch also names a document that others name: if it is there, none of the batch may be inserted.
  std::string contended(60, static_cast<char>('A' + s.random.below(4)));
  if (s.random.below(4) == 0 && ledger_.under_way(name("many", contended)) < kUnderWayMax) {
    uint64_t value = s.new_value();
    documents.push_back(make_document(contended, value));
    ids.push_back(ledger_.invoke(name("many", contended), {.kind = Kind::kInsert, .value = value, .repeatable = true}));
  }
  for (uint64_t n = s.random.between(1, 6); n > 0; --n) {
    uint64_t value = s.new_value();
    keys.push_back(fresh_key(s));
    documents.push_back(make_document(keys.back(), value));
    ids.push_back(ledger_.invoke(name("many", keys.back()), {.kind = Kind::kInsert, .value = value, .repeatable = true}));
  }
  batches_.push_back(keys);
  auto done = co_await s.collection("many").insert_many(std::move(documents));
  if (!done && done.error().code == Code::kDuplicateKey && ids.size() > keys.size()) {
    // The one that is taken was found; the others have not happened.
    (void)take(ids.front(), done);
    for (size_t i = 1; i < ids.size(); ++i) ledger_.refused(ids[i]);
    co_return;
  }
  for (OperationId id : ids)
    if (take(id, done)) ledger_.answer(id, {.done = true}, Effect::kSomeEntry, done->lsn, done->durable_lsn);
}

io::Task<void> Crud::update(Session& s) {
  std::string key = pick_key(s);
  if (ledger_.under_way(name("docs", key)) >= kUnderWayMax) co_return;
  uint64_t value = s.new_value();
  OperationId id = ledger_.invoke(name("docs", key), {.kind = Kind::kUpdate, .value = value});
  DocumentUpdate change = make_update(key, value);
  client::UpdateOptions options{.array_filters = std::move(change.array_filters)};
  auto done = co_await s.collection("docs").update_one(std::move(change.filter), std::move(change.update), std::move(options));
  if (take(id, done)) ledger_.answer(id, {.done = done->value.modified > 0}, own_if(done->value.modified > 0), done->lsn, done->durable_lsn);
}

io::Task<void> Crud::remove(Session& s) {
  std::string key = pick_key(s);
  if (ledger_.under_way(name("docs", key)) >= kUnderWayMax) co_return;
  OperationId id = ledger_.invoke(name("docs", key), {.kind = Kind::kDelete});
  auto done = co_await s.collection("docs").delete_one(by_key(key));
  if (take(id, done)) ledger_.answer(id, {.done = done->value > 0}, own_if(done->value > 0), done->lsn, done->durable_lsn);
}

io::Task<bool> Crud::read(Session& s, std::string collection, std::string key) {
  OperationId id = ledger_.invoke(name(collection, key), {.kind = Kind::kRead});
  auto done = co_await s.collection(collection).find_by_id(key);
  if (!take(id, done)) co_return false;
  Answer answer;
  if (done->value) {
    Result<ReadDocument> document = read_document(*done->value);
    if (!document || document->key != key) {
      ledger_.violation(document ? "asked for " + key + ", got " + document->key : document.error().message);
      ledger_.refused(id);
      co_return true;
    }
    answer.state = document->state;
  }
  ledger_.answer(id, answer, Effect::kNone, done->lsn, done->durable_lsn);
  co_return true;
}

void Crud::judge_count(const std::string& of, uint64_t documents, Bounds can, Lsn lsn) {
  if (!can.hold(documents))
    ledger_.violation(fmt::format("{} has {} documents at LSN {}, says the server, but it has {} to {}", of, documents, lsn.value, can.least, can.most));
}

io::Task<bool> Crud::count(Session& s, std::string collection) {
  Lsn before = ledger_.highest_acknowledged();
  uint64_t epoch = ledger_.epoch(), moves = ledger_.moves();
  auto done = co_await s.collection(collection).count();
  ++counts_.asked;
  if (!done) co_return false;
  ++counts_.answered;
  if (epoch != ledger_.epoch()) co_return true;
  Bounds can = ledger_.count(collection + "/", done->lsn);
  if (moves == ledger_.moves()) can = can & ledger_.count(collection + "/");
  judge_count(collection, done->value, can, done->lsn);
  ledger_.acknowledged("a count of " + collection, before, done->lsn, done->durable_lsn);
  co_return true;
}

io::Task<bool> Crud::stats(Session& s) {
  if (!documents_elsewhere || tolerate_corrupt) co_return true;  // what is damaged is not counted
  uint64_t epoch = ledger_.epoch(), moves = ledger_.moves();
  auto done = co_await s.client.stats();
  ++counts_.asked;
  if (!done) co_return false;
  ++counts_.answered;
  if (epoch != ledger_.epoch()) co_return true;
  std::optional<Bytes> figure = msgpack::lookup(done->value, "documents");
  msgpack::Value documents;
  if (!figure || !msgpack::Cursor(*figure).next(documents) || documents.kind != msgpack::Kind::kUint) {
    ledger_.violation("stats do not tell how many documents there are");
    co_return true;
  }
  Bounds can = ledger_.count("", done->lsn);
  if (moves == ledger_.moves()) can = can & ledger_.count("");
  can += documents_elsewhere(done->lsn);
  judge_count("the server", documents.u, can, done->lsn);
  co_return true;
}

/// A query of any shape, and its count: both at one snapshot each, among all documents as they were there.
io::Task<bool> Crud::ask(Session& s, std::string collection) {
  std::vector<std::string> keys;
  for (uint64_t k = 0; k < options_.keys; ++k) keys.push_back(fmt::format("k{}", k));
  Question question = chaos::ask(s.random, keys);
  Lsn before = ledger_.highest_acknowledged();
  uint64_t epoch = ledger_.epoch();
  ++counts_.asked;
  // Every other time the first few by value, up or down. All that sort before the last one shown must be shown, too.
  client::FindOptions options;
  int64_t direction = s.random.below(2) == 0 ? 1 : -1;
  uint64_t skip = 0;
  if (s.random.below(2) == 0) {
    msgpack::Writer(options.sort).map(1).string("v").integer(direction);
    options.limit = s.random.between(1, 6);
    options.skip = skip = s.random.below(3) == 0 ? s.random.below(3) : 0;
  }
  // All that a document of ours has: nothing may be missing.
  if (s.random.below(2) == 0) msgpack::Writer(options.projection).map(4).string("p").integer(1).string("v").integer(1).string("n").integer(1).string("h").integer(1);
  bool sorts = options.limit.has_value();
  uint64_t limit = options.limit.value_or(UINT64_MAX);
  auto found = co_await s.collection(collection).find(question.query, std::move(options));
  if (!found) {
    if (found.error().code == Code::kCorrupt && !tolerate_corrupt) ledger_.violation("without any media fault the server said: " + found.error().text());
    co_return false;
  }
  ++counts_.answered;
  ++counts_.questions;
  if (epoch != ledger_.epoch()) co_return true;
  std::map<DocumentName, DocumentState> documents;
  std::optional<uint64_t> last;
  auto before_last = [&](uint64_t value) { return !last || (direction > 0 ? value <= *last : value >= *last); };
  Bytes raw;
  for (auto it = found->value.begin(); it.next(raw);) {
    Result<ReadDocument> document = read_document(raw);
    if (!document) {
      ledger_.violation("a query shows this: " + document.error().message);
      continue;
    }
    if (!question.selects(document->key, document->state))
      ledger_.violation(fmt::format("a query ({}) shows {} as {}", question.text, document->key, text(document->state)));
    if (!documents.emplace(name(collection, document->key), document->state).second)
      ledger_.violation(fmt::format("a query ({}) shows {} twice", question.text, document->key));
    if (sorts && last && before_last(document->state.value) && document->state.value != *last)
      ledger_.violation(fmt::format("a query ({}) shows {} out of its order", question.text, document->key));
    last = document->state.value;
  }
  if (documents.size() > limit) ledger_.violation(fmt::format("a query ({}) shows {} documents, asked for {}", question.text, documents.size(), limit));
  bool all = documents.size() < limit;
  ledger_.acknowledged(fmt::format("{} ({})", collection, question.text), before, found->lsn, found->durable_lsn);
  if (skip > 0) co_return true;  // which are left out is not known
  ledger_.snapshot(collection + "/", found->lsn, documents, [&](const DocumentName& document, const DocumentState& state) {
    return question.selects(std::string_view(document).substr(collection.size() + 1), state) && (all || before_last(state.value));
  });
  co_return true;
}

io::Task<bool> Crud::export_collection(Session& s, std::string collection) {
  client::DocumentStream stream = s.collection(collection).export_all(s.random.between(1, 4000));
  std::map<DocumentName, DocumentState> documents;
  ++counts_.asked;
  Lsn before = ledger_.highest_acknowledged();
  uint64_t epoch = ledger_.epoch();
  for (;;) {
    auto part = co_await stream.next();
    if (!part) {
      if (part.error().code == Code::kCorrupt && !tolerate_corrupt) ledger_.violation("without any media fault the server said: " + part.error().text());
      co_return false;
    }
    if (!*part) break;
    Bytes raw;
    for (auto it = (*part)->begin(); it.next(raw);) {
      Result<ReadDocument> document = read_document(raw);
      if (!document) {
        ledger_.violation("an export shows this: " + document.error().message);
        continue;
      }
      if (!documents.emplace(name(collection, document->key), document->state).second)
        ledger_.violation("an export shows " + name(collection, document->key) + " twice");
    }
  }
  ++counts_.answered;
  ++counts_.exports;
  // The last part may have come late, from a server whose log went on otherwise after it had lost its end.
  if (epoch != ledger_.epoch()) co_return true;
  // An empty collection's export has no parts and need not say where it stands.
  Lsn at = stream.lsn() == Lsn() ? before : stream.lsn();
  if (at < before) ledger_.violation(fmt::format("an export at LSN {} began after LSN {} was acknowledged", at.value, before.value));
  ledger_.snapshot(collection + "/", at, documents);
  if (collection == "many")
    for (const std::vector<std::string>& batch : batches_) {
      size_t shown = 0;
      for (const std::string& key : batch) shown += documents.contains(name("many", key));
      if (shown != 0 && shown != batch.size()) ledger_.violation(fmt::format("a snapshot shows {} of the {} documents of one batch", shown, batch.size()));
    }
  co_return true;
}

io::Task<void> Crud::step(Session& s) {
  switch (s.random.below(20)) {
    case 0: case 1: case 2: case 3: case 4:
      co_return co_await insert(s);
    case 5: case 6: case 7: case 8:
      co_return co_await update(s);
    case 9: case 10:
      co_return co_await remove(s);
    case 11: case 12:
      co_await insert_once(s);
      co_return;
    case 13:
      co_return co_await insert_batch(s);
    case 14:
      if (s.random.below(4) == 0)
        co_await stats(s);
      else
        co_await count(s, kCollections[s.random.below(3)]);
      co_return;
    case 15:
      if (s.random.below(2) == 0)
        co_await export_collection(s, kCollections[s.random.below(3)]);
      else
        co_await ask(s, kCollections[s.random.below(3)]);
      co_return;
    case 16:
      if (!once_.empty()) co_await read(s, "once", once_[s.random.below(once_.size())]);
      co_return;
    default: {
      std::string key = pick_key(s);
      if (ledger_.under_way(name("docs", key)) < kUnderWayMax) co_await read(s, "docs", key);
      co_return;
    }
  }
}

io::Task<void> Crud::run_client(io::Host& host, int index) {
  client::Options options{.server = options_.server,
                          .login = options_.login,
                          .connections = 2,
                          .timeout = options_.timeout,
                          .connect_timeout = options_.timeout,
                          .max_attempts = 4,
                          .sessions = options_.sessions};
  Session s(host, options, random_.fork(fmt::format("client {}", index)));
  for (uint64_t n = 0; !stopping_ && (options_.operations == 0 || n < options_.operations); ++n) {
    if (before_each) co_await before_each();
    s.begin(index, n);
    Duration wait = drawn_pause(s.random, options_.pause_max);
    if (!options_.performs || options_.performs(index, n)) {
      ++counts_.performed;
      co_await step(s);
    }
    co_await io::sleep_for(wait);
  }
  co_await s.client.close();
}

io::Task<bool> Crud::fill(io::Host& host, uint64_t most) {
  Session s(host, {.server = options_.server, .login = options_.login, .connections = 1, .timeout = options_.timeout, .sessions = options_.sessions},
            random_.fork(fmt::format("fill {}", counts_.asked)));
  s.begin(99, 1'000'000);  // values that no client writes
  bool full = false;
  for (uint64_t n = 0; n < most && !full; ++n) full = co_await insert_once(s) == Code::kDiskFull;
  co_await s.client.close();
  co_return full;
}

io::Task<bool> Crud::insert_within(io::Host& host, Duration limit) {
  Session s(host, {.server = options_.server, .login = options_.login, .connections = 1, .timeout = options_.timeout, .sessions = options_.sessions},
            random_.fork(fmt::format("insert {}", counts_.asked)));
  s.begin(99, 2'000'000);
  Time deadline = host.clock.now() + limit;
  bool done = false;
  while (!done && host.clock.now() < deadline) {
    done = !co_await insert_once(s);
    if (!done) co_await io::sleep_for(milliseconds(100));
  }
  co_await s.client.close();
  co_return done;
}

io::Task<bool> Crud::verify(io::Host& host) {
  client::Options options{
      .server = options_.server, .login = options_.login, .connections = 1, .timeout = seconds(30), .max_attempts = 20};
  Session s(host, options, random_.fork(fmt::format("verify {}", counts_.asked)));
  bool all = true;
  for (uint64_t k = 0; k < options_.keys; ++k) all = co_await read(s, "docs", fmt::format("k{}", k)) && all;
  // Copies: clients may go on and add to them.
  const std::vector<std::string> once = once_;
  const std::vector<std::vector<std::string>> batches = batches_;
  for (const std::string& key : once) all = co_await read(s, "once", key) && all;
  for (const std::vector<std::string>& batch : batches)
    for (const std::string& key : batch) all = co_await read(s, "many", key) && all;
  for (const char* collection : kCollections) all = co_await export_collection(s, collection) && all;
  for (const char* collection : kCollections) all = co_await count(s, collection) && all;
  all = co_await stats(s) && all;
  co_await s.client.close();
  co_return all;
}

}  // namespace holdfast::chaos
