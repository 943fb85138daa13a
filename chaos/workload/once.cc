#include "chaos/workload/once.h"

#include <fmt/core.h>

#include "chaos/workload/pause.h"
#include "chaos/workload/raw.h"
#include "io/base/msgpack.h"
#include "io/wire/reply.h"

namespace holdfast::chaos {
namespace {

using msgpack::Kind;
using msgpack::Value;
using msgpack::Writer;
using wire::Op;

constexpr const char* kCollection = "lists";

/// {filter: {_id: key}, update: {$push: {l: value}, $bit: {n: {xor: 1}}}}; for update_one the filter also asks for n: 0 or 1, which every change turns over; for
/// find_and_modify an absent document is made, and what it has become is returned.
Buffer push_args(Op op, uint64_t key, uint64_t value) {
  Buffer out;
  Writer w(out);
  bool returns = op == Op::kFindAndModify;
  bool asks = op == Op::kUpdateOne;
  w.map(returns ? 4 : 2).string("filter").map(asks ? 2 : 1).string("_id").uint(key);
  if (asks) w.string("n").uint(value % 2);
  w.string("update").map(2).string("$push").map(1).string("l").uint(value);
  w.string("$bit").map(1).string("n").map(1).string("xor").uint(1);
  if (returns) w.string("upsert").boolean(true).string("return").string("after");
  return out;
}

std::optional<uint64_t> number(Bytes document, std::string_view name) {
  Value v;
  auto raw = msgpack::lookup(document, name);
  if (!raw || !msgpack::Cursor(*raw).next(v) || v.kind != Kind::kUint) return std::nullopt;
  return v.u;
}

std::optional<AppendHistory::List> list_of(Bytes document) {
  auto raw = msgpack::lookup(document, "l");
  if (!raw) return std::nullopt;
  msgpack::Cursor in(*raw);
  Value head, v;
  if (!in.next(head) || head.kind != Kind::kArray) return std::nullopt;
  AppendHistory::List out;
  for (uint32_t i = 0; i < head.count; ++i) {
    if (!in.next(v) || v.kind != Kind::kUint) return std::nullopt;
    out.push_back(v.u);
  }
  return out;
}

}  // namespace

/// What came of one attempt. kNone: it is answered that no document is as the request asks for.
struct Once::Answer {
  enum class Kind : uint8_t { kNotSent, kLost, kOk, kNone, kError } kind = Kind::kNotSent;
  Code code = Code::kInternal;
  Lsn lsn, durable;
  Buffer result;
  std::string text;

  /// It says that the request has changed nothing, nor will.
  bool is_definite() const {
    if (kind == Kind::kNone) return true;
    if (kind != Kind::kError) return false;
    switch (code) {
      case Code::kUnknownOutcome:
      case Code::kInternal:
      case Code::kTimeout:
      case Code::kSessionUnknown:
      case Code::kShuttingDown:
      case Code::kOverloaded: return false;
      default: return true;
    }
  }
};

/// One request, however often it is sent.
struct Once::Asked {
  uint64_t session = 0, number = 0, answered = 0;
  Op op = Op::kUpsertOne;
  uint64_t key = 0, value = 0;
  AppendHistory::TransactionId id = 0;
  Lsn after;
  uint64_t epoch = 0;
  uint64_t sent = 0;     ///< attempts
  size_t under_way = 0;
  std::map<uint64_t, Answer> answers;  ///< by attempt
  std::optional<Lsn> lsn;              ///< acknowledged
};

struct Once::Session {
  Session(io::Host& h, Rng stream) : host(h), random(stream) {}
  io::Host& host;
  Rng random;
  uint64_t id = 0;  ///< 0: none is open
  uint64_t last = 0;
  uint64_t answered = 0;
};

Once::Once(OnceOptions options, Ledger& ledger, Rng random)
    : options_(std::move(options)), ledger_(ledger), random_(random), history_([](AppendHistory::Key key) { return fmt::format("{}/{}", kCollection, key); }) {
  ledger_.on_restart.push_back([this](Lsn recovered, bool lossy) {
    for (auto& sentence : history_.restarted(recovered, lossy)) tell(std::move(sentence));
  });
}

// ---- On the wire ----

io::Task<Once::Connection> Once::connect(io::Host& host) {
  io::Executor& here = co_await io::this_executor();
  auto made = co_await host.network.connect(options_.server, here.now() + options_.timeout);
  co_return made ? Connection(std::move(*made)) : nullptr;
}

/// Sends, and waits for the answer; now and then in two halves with a pause between. What is to be sent on a connection that was there when the server
/// died is not sent: nothing that clients have sent outlives a server.
io::Task<Once::Answer> Once::exchange(Connection connection, Buffer frame, Rng& random) {
  io::Executor& here = co_await io::this_executor();
  Answer out;
  if (!connection) co_return out;
  here.spawn(close_at(connection, here.now() + options_.timeout));
  size_t cut = random.below(3) == 0 ? random.below(frame.size()) : 0;
  Duration pause = nanoseconds(static_cast<int64_t>(random.below(60'000'000)));
  bool leaves = random.below(4) == 0;  // without waiting for the answer
  bool sent = true;
  if (cut > 0) {
    sent = (co_await connection->write_all(Bytes(frame).substr(0, cut))).has_value();
    co_await io::sleep_for(pause);
  }
  out.kind = Answer::Kind::kLost;
  sent = sent && (co_await connection->write_all(Bytes(frame).substr(cut))).has_value();
  std::optional<Buffer> payload;
  if (sent && leaves) co_await io::sleep_for(nanoseconds(static_cast<int64_t>(random.below(2'000'000))));
  if (sent && !leaves) payload = co_await read_frame(*connection);
  connection->close();
  if (!payload) co_return out;
  auto reply = wire::parse_reply(*payload);
  if (!reply) {
    ledger_.violation("a server answered " + reply.error().text());
    co_return out;
  }
  out.kind = reply->ok() ? Answer::Kind::kOk : Answer::Kind::kError;
  out.code = reply->code;
  out.lsn = reply->lsn;
  out.durable = reply->durable_lsn;
  out.result = Buffer(reply->result);
  out.text = std::string(reply->error);
  co_return out;
}

io::Task<void> Once::open_session(Session& s) {
  Buffer frame = raw_request({.id = 1, .op = Op::kOpenSession}, "\x80");
  Answer answer = co_await exchange(co_await connect(s.host), std::move(frame), s.random);
  if (answer.kind != Answer::Kind::kOk) co_return;
  auto id = number(answer.result, "session");
  if (!id) co_return ledger_.violation("open_session gave no session");
  ++counts_.sessions;
  s.id = *id;
  s.last = s.answered = 0;
}

// ---- One request ----

io::Task<void> Once::attempt(Connection connection, std::shared_ptr<Asked> asked, uint64_t number, Rng random, Duration wait) {
  co_await io::sleep_for(wait);
  ++counts_.attempts;
  Buffer frame = raw_request({.id = 7,
                              .op = asked->op,
                              .collection = kCollection,
                              .session = asked->session,
                              .number = asked->number,
                              .answered = asked->answered,
                              .attempt = number},
                             push_args(asked->op, asked->key, asked->value));
  Answer answer = co_await exchange(std::move(connection), std::move(frame), random);
  if (answer.kind == Answer::Kind::kOk && asked->op == Op::kUpdateOne && chaos::number(answer.result, "matched") == 0) answer.kind = Answer::Kind::kNone;
  if (ledger_.tell) {
    const char* kind = answer.kind == Answer::Kind::kOk      ? "done"
                       : answer.kind == Answer::Kind::kNone  ? "none"
                       : answer.kind == Answer::Kind::kError ? answer.text.c_str()
                                                             : "no answer";
    ledger_.tell(fmt::format("once {}.{} attempt {} value {}: {} at LSN {}", asked->session % 1000, asked->number, number, asked->value, kind, answer.lsn.value));
  }
  asked->answers[number] = std::move(answer);
  --asked->under_way;
}

/// An attempt that nobody waits for any more.
io::Task<void> Once::come_late(Connection connection, std::shared_ptr<Asked> asked, uint64_t number, Rng random, Duration wait) {
  uint64_t epoch = asked->epoch;
  auto late = std::make_shared<Asked>(*asked);
  late->answers.clear();
  late->under_way = 1;
  ++counts_.late;
  co_await attempt(std::move(connection), late, number, random, wait);
  const Answer& answer = late->answers.begin()->second;
  if (answer.kind != Answer::Kind::kOk || epoch != ledger_.epoch()) co_return;
  if (!asked->lsn)
    ledger_.violation(fmt::format("an attempt at {}.{} that came late was executed, though the request had been refused", kCollection, asked->value));
  else
    tell(history_.committed(asked->id, answer.lsn));
}

io::Task<void> Once::send_attempts(Session& s, Asked& asked) {
  io::Executor& here = co_await io::this_executor();
  auto shared = std::shared_ptr<Asked>(std::shared_ptr<void>(), &asked);  // lives until all have ended
  bool at_once = s.random.below(3) == 0;
  uint64_t most = s.random.between(1, 4);
  std::vector<Connection> connections;
  while (at_once && connections.size() < most) connections.push_back(co_await connect(s.host));
  while (asked.sent < most) {
    Connection connection = at_once ? connections[asked.sent] : co_await connect(s.host);
    ++asked.sent;
    ++asked.under_way;
    auto wait = nanoseconds(static_cast<int64_t>(at_once ? s.random.below(5'000'000) : 0));
    here.spawn(attempt(std::move(connection), shared, asked.sent, s.random.fork(fmt::format("attempt {} {}", asked.value, asked.sent)), wait));
    while (!at_once && asked.under_way > 0) co_await io::sleep_for(milliseconds(1));
    if (!at_once && asked.answers[asked.sent].kind == Answer::Kind::kOk && s.random.below(3) > 0) break;
    if (!at_once && asked.answers[asked.sent].is_definite() && s.random.below(3) > 0) break;
  }
  while (asked.under_way > 0) co_await io::sleep_for(milliseconds(1));
}

void Once::judge(Session& s, Asked& asked) {
  if (asked.epoch != ledger_.epoch()) {
    ++counts_.unknown;
    s.id = 0;
    return history_.given_up(asked.id);
  }
  const Answer* first = nullptr;
  for (const auto& [n, answer] : asked.answers) {
    // (After one that changed nothing a later one may have changed something, and the earlier ones are told of that.)
    if (first && n == asked.sent && answer.kind == Answer::Kind::kNone)
      ledger_.violation(fmt::format("the last attempt at a request was told that it changes nothing, an earlier one that it has, at LSN {}", first->lsn.value));
    if (answer.kind != Answer::Kind::kOk) continue;
    if (first && (first->lsn != answer.lsn || first->result != answer.result))
      ledger_.violation(fmt::format("two attempts at one request were answered differently: at LSN {} and {}", first->lsn.value, answer.lsn.value));
    if (!first) first = &answer;
    tell(history_.committed(asked.id, answer.lsn));
    ledger_.acknowledged(kCollection, asked.after, answer.lsn, answer.durable);
  }
  if (first) {
    ++counts_.done;
    asked.lsn = first->lsn;
    auto document = asked.op == Op::kFindAndModify ? msgpack::lookup(first->result, "document") : std::nullopt;
    auto list = document ? list_of(*document) : std::nullopt;
    if (asked.op == Op::kFindAndModify && (!list || list->empty() || list->back() != asked.value))
      ledger_.violation("find_and_modify did not return what it had made of the document");
    s.answered = asked.number;
    return;
  }
  // The newest attempt speaks for all.
  const Answer& newest = asked.answers.rbegin()->second;
  if (asked.answers.rbegin()->first == asked.sent && newest.is_definite()) {
    ++counts_.refused;
    s.answered = asked.number;
    return tell(history_.rolled_back(asked.id));
  }
  bool nothing_sent = true;
  for (const auto& [n, answer] : asked.answers) nothing_sent = nothing_sent && answer.kind == Answer::Kind::kNotSent;
  if (nothing_sent) {
    s.answered = asked.number;
    return tell(history_.rolled_back(asked.id));
  }
  ++counts_.unknown;
  for (const auto& [n, answer] : asked.answers)
    if (answer.kind == Answer::Kind::kError && answer.code == Code::kSessionUnknown) s.id = 0;
  history_.given_up(asked.id);
}

/// After an unknown outcome: what the server knows must fit.
io::Task<void> Once::ask_outcome(Session& s, Asked& asked) {
  Buffer args;
  Writer(args).map(2).string("session").uint(asked.session).string("number").uint(asked.number);
  Answer answer = co_await exchange(co_await connect(s.host), raw_request({.id = 2, .op = Op::kRequestOutcome}, args), s.random);
  if (answer.kind != Answer::Kind::kOk || asked.epoch != ledger_.epoch()) co_return;
  ++counts_.asked_after;
  if (auto at = number(answer.result, "at")) {
    asked.lsn = Lsn(*at);
    tell(history_.committed(asked.id, *asked.lsn));
  }
}

io::Task<void> Once::append(Session& s) {
  auto asked = std::make_shared<Asked>();
  constexpr Op kOps[] = {Op::kUpsertOne, Op::kFindAndModify, Op::kUpsertMany, Op::kUpdateOne};
  asked->session = s.id;
  asked->number = ++s.last;
  asked->answered = s.answered;
  asked->op = kOps[s.random.below(4)];
  asked->key = s.random.below(options_.keys);
  asked->value = ++last_value_;
  asked->after = ledger_.highest_acknowledged();
  asked->epoch = ledger_.epoch();
  asked->id = history_.append_alone(asked->key, asked->value, asked->after);
  ++counts_.asked;
  Connection late = s.random.below(3) == 0 ? co_await connect(s.host) : nullptr;
  co_await send_attempts(s, *asked);
  uint64_t unknown = counts_.unknown;
  judge(s, *asked);
  if (counts_.unknown > unknown && s.random.below(2) == 0) co_await ask_outcome(s, *asked);
  if (counts_.unknown > unknown && s.random.below(2) == 0) s.id = 0;
  if (asked->lsn && asked->epoch == ledger_.epoch()) co_await take_number_again(s, *asked);
  // Later, from somewhere: an attempt that a later one, or the answer, has overtaken.
  bool refused = !asked->lsn && counts_.unknown == unknown;
  bool over = refused ? asked->sent > 1 && asked->answers.rbegin()->first == asked->sent : asked->lsn.has_value();
  if (late && over && asked->epoch == ledger_.epoch()) {
    uint64_t number = asked->lsn ? s.random.between(1, asked->sent + 1) : s.random.between(1, asked->sent - 1);
    auto wait = nanoseconds(static_cast<int64_t>(s.random.below(200'000'000)));
    (co_await io::this_executor()).spawn(come_late(std::move(late), asked, number, s.random.fork(fmt::format("late {}", asked->value)), wait));
  } else if (late) {
    late->close();
  }
}

/// By mistake: something else with the number of a request that has been executed. It must be told so, and nothing must happen.
io::Task<void> Once::take_number_again(Session& s, const Asked& before) {
  Rng random = s.random.fork(fmt::format("taken {}", before.value));
  if (random.below(4) > 0) co_return;
  auto other = std::make_shared<Asked>(before);
  other->answers.clear();
  other->op = random.below(2) == 0 ? before.op : Op::kUpsertOne;
  other->value = ++last_value_;
  other->id = history_.append_alone(other->key, other->value, ledger_.highest_acknowledged());
  other->under_way = 1;
  Connection connection = co_await connect(s.host);
  co_await attempt(std::move(connection), other, before.sent + 1, random, Duration{});
  const Answer& answer = other->answers.begin()->second;
  ++counts_.taken;
  if (answer.kind == Answer::Kind::kOk && before.epoch == ledger_.epoch())
    ledger_.violation(fmt::format("request {}.{} was acknowledged, but its number was that of another request, executed at LSN {}", kCollection, other->value, before.lsn->value));
  if (answer.is_definite()) co_return tell(history_.rolled_back(other->id));
  history_.given_up(other->id);
}

// ---- Looking ----

io::Task<void> Once::look(io::Host& host, Rng& random) {
  AppendHistory::Look look = history_.look(ledger_.highest_acknowledged());
  uint64_t epoch = ledger_.epoch();
  Buffer args;
  Writer(args).map(1).string("query").map(0);
  Answer answer = co_await exchange(co_await connect(host), raw_request({.id = 3, .op = Op::kFind, .collection = kCollection}, args), random);
  if (answer.kind != Answer::Kind::kOk || epoch != ledger_.epoch()) co_return;
  std::map<AppendHistory::Key, AppendHistory::List> lists;
  for (uint64_t k = 0; k < options_.keys; ++k) lists[k];
  msgpack::Cursor in(answer.result);
  Value head;
  if (!in.next(head) || head.kind != Kind::kArray) co_return ledger_.violation("find answered no array");
  for (uint32_t i = 0; i < head.count; ++i) {
    Bytes document = in.raw();
    auto key = number(document, "_id");
    auto list = list_of(document);
    if (!key || !list) co_return ledger_.violation("a list is not what anybody wrote");
    lists[*key] = std::move(*list);
  }
  tell(history_.saw(look, lists, answer.lsn));
}

io::Task<void> Once::run_client(io::Host& host, int index) {
  Session s(host, random_.fork(fmt::format("once {}", index)));
  for (uint64_t n = 0; n < options_.operations; ++n) {
    if (s.id == 0) co_await open_session(s);
    if (s.id == 0)
      co_await io::sleep_for(milliseconds(20));
    else if (s.random.below(6) == 0)
      co_await look(host, s.random);
    else
      co_await append(s);
    co_await io::sleep_for(drawn_pause(s.random, options_.pause_max));
  }
  // What comes late belongs to this process.
  co_await io::sleep_for(options_.timeout);
}

io::Task<bool> Once::verify(io::Host& host) {
  Rng random = random_.fork("verify");
  for (int i = 0; i < 30; ++i) {
    uint64_t before = ledger_.violations().size();
    co_await look(host, random);
    if (ledger_.violations().size() > before) co_return false;
    co_await io::sleep_for(milliseconds(50));
  }
  for (auto& sentence : history_.judge()) tell(std::move(sentence));
  co_return true;
}

}  // namespace holdfast::chaos
