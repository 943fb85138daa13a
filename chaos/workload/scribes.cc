#include "chaos/workload/scribes.h"

#include <fmt/core.h>

#include "chaos/workload/documents.h"
#include "io/sync.h"

namespace holdfast::chaos {
namespace {

/// A scribe goes on with so many documents; older ones stay as they are.
constexpr size_t kOpenMax = 12;

}  // namespace

DocumentName scribed_name(const ScribedCollection& collection, std::string_view key) { return fmt::format("{}/{}", collection.name, key); }

struct Scribes::Scribe {
  client::Client& client;
  io::Host& host;
  Rng random;
  Duration pause_max;
  std::vector<Document>& open;  // documents that are there for sure, and as they are

  client::Collection collection(const Document& d) { return client.collection(d.collection->name, d.collection->database); }
  void keep(Document d) {
    open.push_back(std::move(d));
    if (open.size() > kOpenMax) open.erase(open.begin());
  }
};

Scribes::Document Scribes::fresh(Scribe& s) {
  return {&kScribed[s.random.below(std::size(kScribed))], fmt::format("s{}", ++last_key_), {.exists = true, .value = ++last_value_}};
}

template <class T>
bool Scribes::take(Scribe& s, const std::vector<Chronicle::ChangeId>& ids, const Result<client::Answer<T>>& answer, bool& known) {
  known = true;
  if (answer) {
    for (Chronicle::ChangeId id : ids) chronicle_.done(id, s.host.clock.now(), answer->lsn, answer->durable_lsn);
    return true;
  }
  Code code = answer.error().code;
  known = code != Code::kUnknownOutcome && code != Code::kInternal;
  if (known)
    for (Chronicle::ChangeId id : ids) chronicle_.refused(id);
  if (code == Code::kInternal || code == Code::kCorrupt || code == Code::kDuplicateKey || code == Code::kBadRequest)
    chronicle_.violation("a writer of documents of its own was told: " + answer.error().text());
  return false;
}

io::Task<bool> Scribes::insert(Scribe& s) {
  Document d = fresh(s);
  Chronicle::ChangeId id = chronicle_.asked(s.host.clock.now(), scribed_name(*d.collection, d.key), d.state);
  auto answer = co_await s.collection(d).insert_one(make_document(d.key, d.state.value));
  bool known;
  bool done = take(s, {id}, answer, known);
  if (done) s.keep(std::move(d));
  co_return done;
}

io::Task<bool> Scribes::insert_batch(Scribe& s) {
  uint64_t batch = ++last_batch_;
  std::vector<Document> documents;
  std::vector<Buffer> bytes;
  std::vector<Chronicle::ChangeId> ids;
  const ScribedCollection* collection = &kScribed[s.random.below(std::size(kScribed))];
  for (uint64_t n = s.random.between(2, 6); n > 0; --n) {
    documents.push_back(fresh(s));
    Document& d = documents.back();
    d.collection = collection;
    bytes.push_back(make_document(d.key, d.state.value));
    ids.push_back(chronicle_.asked(s.host.clock.now(), scribed_name(*d.collection, d.key), d.state, batch));
  }
  auto answer = co_await s.collection(documents.front()).insert_many(std::move(bytes));
  bool known;
  bool done = take(s, ids, answer, known);
  if (done) s.keep(std::move(documents.front()));
  co_return done;
}

io::Task<bool> Scribes::update(Scribe& s, size_t index) {
  Document d = s.open[index];
  DocumentState after = d.state;
  after.value = ++last_value_;
  ++after.counter;
  Chronicle::ChangeId id = chronicle_.asked(s.host.clock.now(), scribed_name(*d.collection, d.key), after);
  DocumentUpdate change = make_update(d.key, after.value);
  client::UpdateOptions options{.array_filters = std::move(change.array_filters)};
  auto answer = co_await s.collection(d).update_one(std::move(change.filter), std::move(change.update), std::move(options));
  bool known;
  bool done = take(s, {id}, answer, known);
  if (done && answer->value.modified != 1) chronicle_.violation(d.key + " was not there to be updated, though it had been acknowledged");
  if (done) s.open[index].state = after;
  if (!known) s.open.erase(s.open.begin() + static_cast<std::ptrdiff_t>(index));
  co_return done;
}

io::Task<bool> Scribes::remove(Scribe& s, size_t index) {
  Document d = s.open[index];
  Chronicle::ChangeId id = chronicle_.asked(s.host.clock.now(), scribed_name(*d.collection, d.key), DocumentState{});
  auto answer = co_await s.collection(d).delete_one(by_key(d.key));
  bool known;
  bool done = take(s, {id}, answer, known);
  if (done && answer->value != 1) chronicle_.violation(d.key + " was not there to be deleted, though it had been acknowledged");
  if (done || !known) s.open.erase(s.open.begin() + static_cast<std::ptrdiff_t>(index));
  co_return done;
}

io::Task<void> Scribes::write(Scribe& s) {
  while (!stopping_) {
    uint64_t what = s.random.below(10);
    size_t index = s.open.empty() ? 0 : s.random.below(s.open.size());
    bool done;
    if (what < 4 || s.open.empty())
      done = co_await insert(s);
    else if (what == 4)
      done = co_await insert_batch(s);
    else if (what < 9)
      done = co_await update(s, index);
    else
      done = co_await remove(s, index);
    Duration pause = done ? s.pause_max : milliseconds(10);
    co_await io::sleep_for(nanoseconds(static_cast<int64_t>(s.random.below(static_cast<uint64_t>(pause.ns) + 1))));
  }
}

io::Task<void> Scribes::run(io::Host& host, ScribesOptions options) {
  stopping_ = false;
  client::Client client(host, {.server = options.server, .connections = 3, .timeout = options.timeout, .connect_timeout = options.timeout,
                               .max_attempts = 1, .resend_inserts = false});
  std::vector<Scribe> scribes;
  ++runs_;
  open_.resize(static_cast<size_t>(options.scribes));
  for (size_t i = 0; i < open_.size(); ++i)
    scribes.push_back({.client = client,
                       .host = host,
                       .random = random_.fork(fmt::format("run {} scribe {}", runs_, i)),
                       .pause_max = options.pause_max,
                       .open = open_[i]});
  io::TaskGroup tasks(co_await io::this_executor());
  for (Scribe& s : scribes) tasks.spawn(write(s));
  co_await tasks.drained();
  co_await client.close();
}

}  // namespace holdfast::chaos
