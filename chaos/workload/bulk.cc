#include "chaos/workload/bulk.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "chaos/workload/pause.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

using msgpack::Kind;
using msgpack::Value;
using msgpack::Writer;

constexpr const char* kMoves = "moves";
constexpr const char* kBatches = "batches";
constexpr const char* kUpserts = "upserts";

CollectionLedger::Name batch_name(uint64_t batch) { return {kBatches, fmt::format("{}", batch)}; }

/// {_id: number, g: group, n: 0, s: 0 or a text, l: []}; who takes part in a move gets another group, one more n, and its number in l.
Buffer make_mover(uint64_t number, uint64_t group, bool stubborn) {
  Buffer out;
  Writer w(out);
  w.map(5).string("_id").uint(number).string("g").uint(group).string("n").uint(0).string("s");
  stubborn ? w.string("no number") : w.uint(0);
  w.string("l").array(0);
  return out;
}

/// `increment`: of `n` or, which stubborn documents do not allow, of `s`, too.
Buffer make_move(uint64_t to, uint64_t id, bool stubborn_refuse) {
  Buffer out;
  Writer w(out);
  w.map(3).string("$set").map(1).string("g").uint(to);
  w.string("$push").map(1).string("l").uint(id);
  w.string("$inc").map(stubborn_refuse ? 2 : 1).string("n").integer(1);
  if (stubborn_refuse) w.string("s").integer(1);
  return out;
}

Buffer one_field(std::string_view name, uint64_t value) {
  Buffer out;
  Writer(out).map(1).string(name).uint(value);
  return out;
}

std::optional<uint64_t> number(Bytes document, std::string_view name) {
  Value v;
  auto raw = msgpack::lookup(document, name);
  if (!raw || !msgpack::Cursor(*raw).next(v) || v.kind != Kind::kUint) return std::nullopt;
  return v.u;
}

std::optional<std::vector<uint64_t>> numbers(Bytes document, std::string_view name) {
  auto raw = msgpack::lookup(document, name);
  if (!raw) return std::nullopt;
  msgpack::Cursor in(*raw);
  Value head, v;
  if (!in.next(head) || head.kind != Kind::kArray) return std::nullopt;
  std::vector<uint64_t> out;
  for (uint32_t i = 0; i < head.count; ++i) {
    if (!in.next(v) || v.kind != Kind::kUint) return std::nullopt;
    out.push_back(v.u);
  }
  return out;
}

}  // namespace

struct Bulk::Session {
  Session(io::Host& h, client::Options options, Rng stream) : client(h, std::move(options)), random(stream) {}
  client::Client client;
  Rng random;
};

Bulk::Bulk(BulkOptions options, Ledger& ledger, Rng random)
    : options_(std::move(options)), ledger_(ledger), random_(random), moves_(options_.documents, options_.groups), batches_(ledger), users_(options_.users) {
  ledger_.on_restart.push_back([this](Lsn recovered, bool lossy) { restarted(recovered, lossy); });
}

void Bulk::restarted(Lsn recovered, bool lossy) {
  moves_.restarted(recovered, lossy);
  if (!lossy) return;
  for (auto& upserts : users_) std::erase_if(upserts, [recovered](const auto& u) { return u.second.lsn > recovered; });
}

template <class T>
Bulk::Outcome Bulk::outcome_of(const Result<T>& result) {
  ++asked_;
  if (result) return Outcome::kDone;
  switch (result.error().code) {
    case Code::kInternal:
      if (!tolerate_internal) violation("the server reports a fault of its own: " + result.error().text());
      return Outcome::kUnknown;
    case Code::kUnknownOutcome: return Outcome::kUnknown;
    case Code::kBadRequest: return Outcome::kNotAllowed;
    case Code::kDuplicateKey: return Outcome::kDuplicate;
    case Code::kCorrupt:
      if (!tolerate_corrupt) violation("without any media fault the server said: " + result.error().text());
      return Outcome::kRefused;
    default: return Outcome::kRefused;
  }
}

void Bulk::failed_read(const Error& error) {
  if (ledger_.tell) ledger_.tell("a read of many failed: " + error.text());
  if (error.code == Code::kCorrupt && !tolerate_corrupt) violation("without any media fault the server said: " + error.text());
}

bool Bulk::comparable(const std::string& what, Look look, Lsn lsn, Lsn durable) {
  if (look.epoch != ledger_.epoch()) return false;
  ledger_.acknowledged(what, look.after, lsn, durable);
  return true;
}

// ---- Moves ----

/// All of them with one insert: they are there or not.
io::Task<void> Bulk::make_documents(Session& s) {
  Look look = batches_.look();
  std::vector<Buffer> documents;
  for (uint64_t d = 0; d < moves_.documents(); ++d) documents.push_back(make_mover(d, moves_.first_group(d), MoveHistory::is_stubborn(d)));
  auto done = co_await s.client.collection(kMoves).insert_many(std::move(documents));
  Outcome outcome = outcome_of(done);
  if (look.epoch != ledger_.epoch() || (outcome != Outcome::kDone && outcome != Outcome::kDuplicate)) co_return;
  made_in_.insert(look.epoch);
  if (done) moves_.made(done->lsn);
  if (done) ledger_.acknowledged(kMoves, look.after, done->lsn, done->durable_lsn);
}

io::Task<void> Bulk::move(Session& s) {
  MoveHistory::Move m{.from = s.random.below(options_.groups), .to = s.random.below(options_.groups)};
  uint64_t whom = s.random.below(5);
  if (whom == 0) co_return co_await move_first(s, m);
  m.refused_by_stubborn = s.random.below(4) == 0;
  if (whom < 3) m.only = s.random.below(options_.documents);
  Look look = batches_.look();
  MoveHistory::MoveId id = moves_.ask(m, look.after);
  if (ledger_.tell) ledger_.tell(fmt::format("asks %{} from {} to {} {}", id, m.from, m.to, m.only ? fmt::format("of {}", *m.only) : "of all"));
  Buffer filter = one_field("g", m.from);
  if (m.only) {
    filter.clear();
    Writer(filter).map(2).string("_id").uint(*m.only).string("g").uint(m.from);
  }
  client::Collection c = s.client.collection(kMoves);
  Buffer update = make_move(m.to, id, m.refused_by_stubborn);
  auto done = co_await (m.only && s.random.below(2) == 0 ? c.update_one(std::move(filter), std::move(update))
                                                         : c.update_many(std::move(filter), std::move(update)));
  Outcome outcome = outcome_of(done);
  if (ledger_.tell) ledger_.tell(fmt::format("told %{}: {}", id, done ? fmt::format("{} at LSN {}", done->value.modified, done->lsn.value) : done.error().text()));
  // Told by the server before or after one that lost something: nobody can say what is left of it.
  if (look.epoch != ledger_.epoch() || outcome == Outcome::kUnknown) co_return moves_.unknown(id);
  if (outcome == Outcome::kRefused || outcome == Outcome::kDuplicate) co_return moves_.refused(id);
  if (outcome == Outcome::kNotAllowed) {
    if (!m.refused_by_stubborn) violation("a move that every document allows was refused: " + done.error().text());
    co_return moves_.not_allowed(id);
  }
  moved_ += done->value.modified;
  if (done->value.matched != done->value.modified) violation(fmt::format("of {} documents that were moved {} have not changed", done->value.matched, done->value.matched - done->value.modified));
  done->value.modified > 0 ? moves_.moved(id, done->lsn, done->value.modified) : moves_.none_there(id, done->lsn);
  ledger_.acknowledged(kMoves, look.after, done->lsn, done->durable_lsn);
}

/// The first of a group, by find_and_modify.
io::Task<void> Bulk::move_first(Session& s, MoveHistory::Move m) {
  m.first = true;
  Look look = batches_.look();
  MoveHistory::MoveId id = moves_.ask(m, look.after);
  client::FindAndModifyOptions options{.update = make_move(m.to, id, false), .after = s.random.below(2) == 0};
  bool after = options.after;
  Writer(options.sort).map(1).string("n").integer(1);
  auto done = co_await s.client.collection(kMoves).find_and_modify(one_field("g", m.from), std::move(options));
  Outcome outcome = outcome_of(done);
  if (look.epoch != ledger_.epoch() || outcome == Outcome::kUnknown) co_return moves_.unknown(id);
  if (outcome == Outcome::kNotAllowed) violation("a move that every document allows was refused: " + done.error().text());
  if (outcome != Outcome::kDone) co_return moves_.refused(id);
  ledger_.acknowledged(kMoves, look.after, done->lsn, done->durable_lsn);
  const std::optional<Buffer>& document = done->value.document;
  if (done->value.modified == 0) co_return moves_.none_there(id, done->lsn);
  ++moved_;
  moves_.moved(id, done->lsn, 1);
  std::optional<std::vector<uint64_t>> log;
  if (document) log = numbers(*document, "l");
  if (!log || (std::ranges::find(*log, id) != log->end()) != after || number(*document, "g") != (after ? m.to : m.from))
    violation(fmt::format("move {} was answered with a document that is not what it was {} it", id, after ? "after" : "before"));
}

io::Task<bool> Bulk::look_at_moves(Session& s) {
  Look look = batches_.look();
  auto found = co_await s.client.collection(kMoves).find("\x80");
  ++asked_;
  if (!found) {
    failed_read(found.error());
    co_return false;
  }
  if (!comparable(kMoves, look, found->lsn, found->durable_lsn)) co_return true;
  std::map<MoveHistory::Document, MoveHistory::Shown> all;
  Bytes document;
  for (auto it = found->value.begin(); it.next(document);) {
    auto d = number(document, "_id"), group = number(document, "g"), n = number(document, "n");
    auto log = numbers(document, "l");
    bool whole = d && group && n && log && *n == log->size() && (MoveHistory::is_stubborn(*d) || number(document, "s"));
    if (!whole || !all.emplace(*d, MoveHistory::Shown{*group, *log}).second) {
      violation("in `moves` there is a document that no move can have made");
      co_return true;
    }
  }
  if (ledger_.tell)
    for (const auto& [d, shown] : all) ledger_.tell(fmt::format("told at LSN {}: document {} in group {}, moves {}", found->lsn.value, d, shown.group, shown.log));
  if (std::string wrong = moves_.saw(all, found->lsn); !wrong.empty()) violation(wrong);
  co_return true;
}

void Bulk::judge() {
  for (const std::string& sentence : moves_.judge()) violation(sentence);
}

// ---- Batches ----

io::Task<void> Bulk::insert_batch(Session& s) {
  uint64_t batch = sizes_.size();
  sizes_.push_back(s.random.between(1, 6));
  std::vector<std::string> keys;
  std::vector<Buffer> documents;
  for (uint64_t i = 0; i < sizes_[batch]; ++i) {
    keys.push_back(fmt::format("{}-{}", batch, i));
    Writer(documents.emplace_back()).map(2).string("_id").string(keys.back()).string("b").uint(batch);
  }
  OperationId id = batches_.insert(batch_name(batch), std::move(keys));
  auto done = co_await s.client.collection(kBatches).insert_many(std::move(documents));
  switch (outcome_of(done)) {
    case Outcome::kDone: co_return batches_.done(id, done->lsn, done->durable_lsn);
    case Outcome::kUnknown: co_return batches_.abandoned(id);
    case Outcome::kDuplicate: violation("ids that nobody else uses were refused: " + done.error().text()); [[fallthrough]];
    default: co_return batches_.refused(id);
  }
}

io::Task<void> Bulk::delete_batch(Session& s) {
  if (sizes_.empty()) co_return;
  uint64_t batch = s.random.below(sizes_.size());
  if (batches_.drops_open(batch_name(batch)) > 0) co_return;
  uint64_t epoch = ledger_.epoch();
  OperationId id = batches_.drop(batch_name(batch));
  auto done = co_await s.client.collection(kBatches).delete_many(one_field("b", batch));
  Outcome outcome = outcome_of(done);
  if (outcome == Outcome::kUnknown) co_return batches_.abandoned(id);
  if (outcome != Outcome::kDone) co_return batches_.refused(id);
  if (done->value != 0 && done->value != sizes_[batch])
    violation(fmt::format("a delete of batch {} removed {} of its {} documents", batch, done->value, sizes_[batch]));
  if (done->value != 0 && epoch == ledger_.epoch() && !deleted_.emplace(std::pair(batch, epoch), done->lsn).second)
    violation(fmt::format("batch {} was deleted twice, at LSN {} and {}", batch, deleted_[{batch, epoch}].value, done->lsn.value));
  batches_.done(id, done->lsn, done->durable_lsn);
}

io::Task<bool> Bulk::look_at_batch(Session& s, uint64_t batch) {
  Look look = batches_.look();
  auto found = co_await s.client.collection(kBatches).find(one_field("b", batch));
  ++asked_;
  if (!found) {
    failed_read(found.error());
    co_return false;
  }
  std::set<std::string> keys;
  Bytes document;
  for (auto it = found->value.begin(); it.next(document);) {
    Bytes key;
    auto id = msgpack::lookup(document, "_id");
    if (!id || !msgpack::Cursor(*id).string(key)) violation("in `batches` there is a document that nobody wrote");
    keys.insert(std::string(key));
  }
  batches_.saw_all(look, batch_name(batch), keys, found->lsn);
  co_return true;
}

// ---- Upserts ----

io::Task<void> Bulk::upsert(Session& s) {
  uint64_t user = s.random.below(options_.users), id = ++last_upsert_;
  Buffer update;
  Writer(update).map(2).string("$push").map(1).string("l").uint(id).string("$inc").map(1).string("n").integer(1);
  Look look = batches_.look();
  client::Collection c = s.client.collection(kUpserts);
  bool many = s.random.below(3) == 0;
  auto done = co_await (many ? c.upsert_many(one_field("u", user), std::move(update)) : c.upsert_one(one_field("u", user), std::move(update)));
  Outcome outcome = outcome_of(done);
  if (outcome == Outcome::kNotAllowed || outcome == Outcome::kDuplicate) violation("an upsert that nothing speaks against was refused: " + done.error().text());
  if (outcome != Outcome::kDone || !comparable(kUpserts, look, done->lsn, done->durable_lsn)) co_return;
  const client::Updated& updated = done->value;
  if (updated.matched > 1 || updated.matched + updated.upserted.has_value() != 1)
    violation(fmt::format("an upsert of user {} found {} documents, and inserted {}", user, updated.matched, updated.upserted ? "one" : "none"));
  users_[user][id] = {done->lsn, updated.upserted.has_value()};
}

void Bulk::judge_user(uint64_t user, const client::Documents& found, Lsn snapshot) {
  std::vector<uint64_t> log;
  if (found.size() > 1) return violation(fmt::format("there are {} documents of user {}", found.size(), user));
  Bytes document;
  if (auto it = found.begin(); it.next(document)) {
    auto shown = numbers(document, "l");
    auto n = number(document, "n");
    if (!shown || !n || *n != shown->size() || shown->empty()) return violation(fmt::format("the document of user {} is none that upserts can have made", user));
    log = *shown;
  }
  std::vector<uint64_t> once = log;
  std::ranges::sort(once);
  if (std::ranges::unique(once).size() > 0) violation(fmt::format("user {} shows an upsert twice: {}", user, log));
  for (const auto& [id, upsert] : users_[user]) {
    auto at = std::ranges::find(log, id);
    bool there = at != log.end();
    if (there != (upsert.lsn <= snapshot))
      violation(fmt::format("upsert {} of user {} stands at LSN {}, but at LSN {} is {}", id, user, upsert.lsn.value, snapshot.value, there ? "there" : "absent"));
    else if (there && upsert.inserted != (at == log.begin()))
      violation(fmt::format("upsert {} of user {} was told that it {}, but its log is {}", id, user, upsert.inserted ? "inserted" : "found a document", log));
  }
}

io::Task<bool> Bulk::look_at_user(Session& s, uint64_t user) {
  Look look = batches_.look();
  auto found = co_await s.client.collection(kUpserts).find(one_field("u", user));
  ++asked_;
  if (!found) {
    failed_read(found.error());
    co_return false;
  }
  if (comparable(kUpserts, look, found->lsn, found->durable_lsn)) judge_user(user, found->value, found->lsn);
  co_return true;
}

// ---- Clients ----

io::Task<void> Bulk::step(Session& s) {
  if (!made_in_.contains(ledger_.epoch())) co_return co_await make_documents(s);
  switch (s.random.below(16)) {
    case 0: case 1: case 2: case 3: case 4: case 5: co_return co_await move(s);
    case 6: case 7: co_await look_at_moves(s); co_return;
    case 8: case 9: co_return co_await insert_batch(s);
    case 10: case 11: co_return co_await delete_batch(s);
    case 12:
      if (!sizes_.empty()) co_await look_at_batch(s, s.random.below(sizes_.size()));
      co_return;
    case 13: co_await look_at_user(s, s.random.below(options_.users)); co_return;
    default: co_return co_await upsert(s);
  }
}

io::Task<void> Bulk::run_client(io::Host& host, int index) {
  Session s(host,
            {.server = options_.server,
             .login = options_.login,
             .connections = 2,
             .timeout = options_.timeout,
             .connect_timeout = options_.timeout,
             .max_attempts = 4,
             .sessions = options_.sessions},
            random_.fork(fmt::format("client {}", index)));
  for (uint64_t n = 0; n < options_.operations; ++n) {
    co_await step(s);
    co_await io::sleep_for(drawn_pause(s.random, options_.pause_max));
  }
  co_await s.client.close();
}

io::Task<bool> Bulk::verify(io::Host& host) {
  Session s(host,
            {.server = options_.server,
             .login = options_.login,
             .connections = 1,
             .timeout = seconds(30),
             .max_attempts = 20},
            random_.fork(fmt::format("verify {}", asked_)));
  bool all = co_await look_at_moves(s);
  for (uint64_t batch = 0; batch < sizes_.size(); ++batch) all = co_await look_at_batch(s, batch) && all;
  for (uint64_t user = 0; user < options_.users; ++user) all = co_await look_at_user(s, user) && all;
  co_await s.client.close();
  co_return all;
}

Bounds Bulk::count(Lsn lsn) const {
  Bounds out = batches_.count(lsn);
  out.most += options_.documents + options_.users;
  if (moves_.made_by() <= lsn) out.least += options_.documents;
  for (const auto& upserts : users_) out.least += std::ranges::any_of(upserts, [lsn](const auto& u) { return u.second.lsn <= lsn; });
  return out;
}

}  // namespace holdfast::chaos
