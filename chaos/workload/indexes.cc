#include "chaos/workload/indexes.h"

#include <fmt/core.h>

#include "chaos/workload/pause.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

using Kind = DeclarationModel::Operation::Kind;
using msgpack::Value;
using msgpack::Writer;
using wire::Op;

/// Operations without an answer that a collection may have: with more there are too many ways in which it can have
/// gone.
constexpr size_t kUnderWayMax = 5;

/// The indexes that are declared: one path, another, both, both the other way round. An index's type is that of its
/// first path.
constexpr std::array<std::array<std::string_view, 2>, Declarations::kIndexes> kPaths = {
    {{"a", ""}, {"b.c", ""}, {"a", "b.c"}, {"b.c", "a"}}};
constexpr std::array<std::string_view, Declarations::kTypes> kTypes = {"", "integer", "string"};

std::string name_of(size_t index) {
  return std::string(kPaths[index][0]) + (kPaths[index][1].empty() ? "" : "," + std::string(kPaths[index][1]));
}

/// Both forms that there are for one path; drops also name several paths in one string.
Buffer spec(size_t index, std::string_view type, bool short_form) {
  Buffer out;
  Writer w(out);
  bool both = !kPaths[index][1].empty();
  if (short_form && (!both || type.empty())) {
    w.map(type.empty() ? 1 : 2).string("field").string(both ? name_of(index) : std::string(kPaths[index][0]));
    if (!type.empty()) w.string("value_type").string(type);
    return out;
  }
  w.map(1).string("fields").array(both ? 2 : 1).map(type.empty() ? 1 : 2).string("name").string(kPaths[index][0]);
  if (!type.empty()) w.string("value_type").string(type);
  if (both) w.map(1).string("name").string(kPaths[index][1]);
  return out;
}

/// What is refused, and as what.
struct Amiss {
  Buffer args;
  Code code;
};

Buffer fields(const std::vector<std::string>& names) {
  Buffer out;
  Writer w(out);
  w.map(1).string("fields").array(static_cast<uint32_t>(names.size()));
  for (const std::string& name : names) w.map(1).string("name").string(name);
  return out;
}

Amiss amiss(uint64_t which) {
  Amiss out{.args = {}, .code = Code::kBadRequest};
  Writer w(out.args);
  switch (which) {
    case 0:
      w.map(2).string("field").string("a").string("unique").boolean(true);
      out.code = Code::kUnsupported;
      break;
    case 1:
      w.map(2).string("field").string("a").string("value_type").string("number");
      break;
    case 2:
      w.map(1).string("field").string("");
      break;
    case 3:
      out.args = fields({"a", "a"});
      break;
    case 4:
      out = {.args = fields({std::string(1025, 'a')}), .code = Code::kTooLarge};
      break;
    default: {
      std::vector<std::string> many;
      for (int i = 0; i < 17; ++i) many.push_back(fmt::format("f{}", i));
      out = {.args = fields(many), .code = Code::kTooLarge};
    }
  }
  return out;
}

std::optional<Value> value_of(Bytes map, std::string_view name) {
  Value v;
  auto raw = msgpack::lookup(map, name);
  if (!raw || !msgpack::Cursor(*raw).next(v)) return std::nullopt;
  return v;
}

/// The values of an array; nothing when it is none.
std::optional<std::vector<Bytes>> elements(Bytes array) {
  msgpack::Cursor in(array);
  Value head;
  if (!in.next(head) || head.kind != msgpack::Kind::kArray) return std::nullopt;
  std::vector<Bytes> out;
  for (uint32_t i = 0; i < head.count; ++i) out.push_back(in.raw());
  return out;
}

/// Of an entry of a list: which index, and one more than its type.
std::optional<std::pair<size_t, uint8_t>> declaration(Bytes entry) {
  auto name = value_of(entry, "name"), unique = value_of(entry, "unique"), used = value_of(entry, "used");
  auto raw = msgpack::lookup(entry, "fields");
  auto all = raw ? elements(*raw) : std::nullopt;
  if (!name || !unique || !used || unique->kind != msgpack::Kind::kBool || unique->boolean || used->boolean || !all)
    return std::nullopt;
  for (size_t i = 0; i < Declarations::kIndexes; ++i) {
    if (name->bytes != name_of(i) || all->size() != (kPaths[i][1].empty() ? 1u : 2u)) continue;
    for (size_t f = 0; f < all->size(); ++f) {
      auto path = value_of((*all)[f], "name"), type = value_of((*all)[f], "value_type");
      if (!path || !type || path->bytes != kPaths[i][f] || (f > 0 && !type->bytes.empty())) return std::nullopt;
    }
    auto type = std::ranges::find(kTypes, value_of(all->front(), "value_type")->bytes);
    if (type != kTypes.end()) return std::pair(i, static_cast<uint8_t>(type - kTypes.begin() + 1));
  }
  return std::nullopt;
}

}  // namespace

struct Indexes::Session {
  Session(io::Host& h, client::Options options, Rng stream) : client(h, std::move(options)), random(stream) {}
  client::Client client;
  Rng random;
};

// ---- Asking ----

/// Sent once: a declaration that is sent again may be done twice, with a drop between.
io::Task<Result<client::Answer<Buffer>>> Indexes::call(Session& s, Op op, const std::string& collection, Buffer args) {
  ++asked_;
  return s.client.call({.op = op, .collection = collection, .args = std::move(args), .resend = client::Resend::kNever});
}

void Indexes::complain(const Error& error) {
  if (error.code == Code::kCorrupt && !tolerate_corrupt)
    ledger_.violation("without any media fault the server said: " + error.text());
  if (error.code == Code::kInternal && !tolerate_internal)
    ledger_.violation("the server reports a fault of its own: " + error.text());
}

template <class T>
void Indexes::take(OperationId id, const Result<T>& result, Code refusal) {
  complain(result.error());
  switch (result.error().code) {
    case Code::kCorrupt:  // found while it was counted, after it was declared
    case Code::kInternal:
    case Code::kUnknownOutcome:
      return declared_.abandoned(id);
    case Code::kBadRequest:
    case Code::kTooLarge:
    case Code::kUnsupported:
    case Code::kNotFound:
      if (result.error().code != refusal)
        ledger_.violation("what is well formed was refused: " + result.error().text());
      [[fallthrough]];
    default:
      return declared_.refused(id);
  }
}

io::Task<void> Indexes::declare(Session& s, std::string collection) {
  Operation operation{.kind = Kind::kDeclare, .index = s.random.below(Declarations::kIndexes), .type = 0};
  // Mostly of one type: what is of another is refused.
  if (s.random.below(3) == 0) operation.type = static_cast<uint8_t>(s.random.below(Declarations::kTypes));
  std::string_view type = kTypes[operation.type];
  bool short_form = kPaths[operation.index][1].empty() && s.random.below(2) == 0;
  OperationId id = declared_.invoke(collection, operation);
  auto done = co_await call(s, Op::kCreateIndex, collection, spec(operation.index, type, short_form));
  if (done) {
    ++declares_;
    check_census(collection, done->value);
    declared_.answer(id, {.done = true}, done->lsn, done->durable_lsn);
  } else if (done.error().code == Code::kBadRequest) {
    declared_.answer_not_done(id);
  } else {
    take(id, done, Code::kBadRequest);
  }
}

/// One that is declared; of what is not there: not_found.
io::Task<void> Indexes::drop(Session& s, std::string collection) {
  Operation operation{.kind = Kind::kDrop, .index = s.random.below(Declarations::kIndexes)};
  OperationId id = declared_.invoke(collection, operation);
  auto done = co_await call(s, Op::kDropIndex, collection, spec(operation.index, "", s.random.below(2) == 0));
  if (done)
    declared_.answer(id, {.done = true}, done->lsn, done->durable_lsn);
  else if (done.error().code == Code::kNotFound)
    declared_.answer_not_done(id);
  else
    take(id, done, Code::kNotFound);
}

io::Task<void> Indexes::ask(Session& s, std::string collection) {
  Operation operation{.kind = Kind::kAsk, .index = s.random.below(Declarations::kIndexes)};
  OperationId id = declared_.invoke(collection, operation);
  auto done = co_await call(s, Op::kRebuildIndex, collection, spec(operation.index, "", s.random.below(2) == 0));
  if (done) {
    check_census(collection, done->value);
    declared_.answer(id, {.done = true}, done->lsn, done->durable_lsn);
  } else if (done.error().code == Code::kNotFound) {
    declared_.answer_not_done(id);
  } else {
    take(id, done, Code::kNotFound);
  }
}

io::Task<void> Indexes::drop_collection(Session& s, std::string collection) {
  OperationId id = declared_.invoke(collection, {.kind = Kind::kDropCollection});
  ++asked_;
  auto done = co_await s.client.collection(collection).drop();
  if (done)
    declared_.answer(id, {.done = true}, done->lsn, done->durable_lsn);
  else
    take(id, done, Code::kInternal);
}

/// Without an effect on what is declared.
io::Task<void> Indexes::create_collection(Session& s, std::string collection) {
  ++asked_;
  auto done = co_await s.client.collection(collection).create();
  if (!done) complain(done.error());
}

io::Task<bool> Indexes::list(Session& s, std::string collection) {
  OperationId id = declared_.invoke(collection, {.kind = Kind::kList});
  auto done = co_await call(s, Op::kListIndexes, collection, Buffer("\x80"));
  auto seen = done ? declarations(collection, done->value) : std::nullopt;
  if (!done) complain(done.error());
  if (seen)
    declared_.answer(id, {.state = *seen}, done->lsn, done->durable_lsn);
  else
    declared_.refused(id);
  co_return done.has_value();
}

/// Nobody hears of these: a list that shows anything of them shows what nobody declared.
io::Task<void> Indexes::ask_amiss(Session& s, std::string collection) {
  Amiss wrong = amiss(s.random.below(6));
  auto done = co_await call(s, Op::kCreateIndex, collection, std::move(wrong.args));
  if (done) co_return ledger_.violation("an index was declared that is to be refused");
  complain(done.error());
  switch (done.error().code) {
    case Code::kBadRequest:
    case Code::kTooLarge:
    case Code::kUnsupported:
      if (done.error().code != wrong.code)
        ledger_.violation("an index was refused for another reason than it should be: " + done.error().text());
      break;
    default:
      break;  // no answer, no room
  }
}

// ---- Reading ----

/// There are no documents.
void Indexes::check_census(const std::string& collection, Bytes census) {
  auto indexed = value_of(census, "indexed"), skipped = value_of(census, "skipped");
  if (!indexed || !skipped || indexed->i != 0 || skipped->i != 0 || msgpack::lookup(census, "issues"))
    ledger_.violation(fmt::format("{}: an index of an empty collection counts documents", collection));
}

std::optional<Declarations> Indexes::declarations(const std::string& collection, Bytes list) {
  Declarations out;
  auto all = elements(list);
  if (!all) ledger_.violation(fmt::format("{}: a list of indexes is none", collection));
  if (!all) return std::nullopt;
  for (Bytes entry : *all) {
    auto is = declaration(entry);
    if (!is || out.types[is->first] != 0) {
      ledger_.violation(fmt::format("{}: a list shows an index that nobody declared, or one twice", collection));
      return std::nullopt;
    }
    out.types[is->first] = is->second;
  }
  return out;
}

// ---- Clients ----

io::Task<void> Indexes::step(Session& s) {
  std::string collection = fmt::format("indexed{}", s.random.below(options_.collections));
  bool many = declared_.under_way(collection) >= kUnderWayMax;
  if (s.random.below(100) < options_.drops) {
    if (!many) co_await drop_collection(s, collection);
    co_return;
  }
  uint64_t what = s.random.below(20);
  if (many && what < 18) co_return;
  if (what < 8) co_return co_await declare(s, collection);
  if (what < 11) co_return co_await drop(s, collection);
  if (what < 13) co_return co_await ask(s, collection);
  if (what < 18) {
    co_await list(s, collection);
    co_return;
  }
  co_await (what == 18 ? create_collection(s, collection) : ask_amiss(s, collection));
}

io::Task<void> Indexes::run_client(io::Host& host, int index) {
  client::Options options{.server = options_.server,
                          .connections = 2,
                          .timeout = options_.timeout,
                          .connect_timeout = options_.timeout,
                          .max_attempts = 4,
                          .sessions = options_.sessions};
  Session s(host, options, random_.fork(fmt::format("indexes {}", index)));
  for (uint64_t n = 0; n < options_.operations; ++n) {
    co_await step(s);
    co_await io::sleep_for(drawn_pause(s.random, options_.pause_max));
  }
  co_await s.client.close();
}

io::Task<bool> Indexes::verify(io::Host& host) {
  client::Options options{.server = options_.server, .connections = 1, .timeout = seconds(30), .max_attempts = 20};
  Session s(host, options, random_.fork(fmt::format("verify {}", asked_)));
  bool all = true;
  for (uint64_t i = 0; i < options_.collections; ++i) all = co_await list(s, fmt::format("indexed{}", i)) && all;
  co_await s.client.close();
  co_return all;
}

}  // namespace holdfast::chaos
