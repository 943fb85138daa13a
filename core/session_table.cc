#include "core/session_table.h"

#include "io/base/probe.h"

namespace holdfast::core {
namespace {

enum class Kind : uint8_t { kOpen = 1, kOutcome = 2, kClose = 3 };

Effect effect_of(uint64_t session, uint16_t shard_count, const Buffer& body) {
  return {EffectKind::kSession, DatabaseId(0), session_shard(session, shard_count), CollectionId(0), {}, body};
}

Buffer begin_body(Kind kind, uint64_t session) {
  Buffer body(1, static_cast<char>(kind));
  append_le(body, session);
  return body;
}

}  // namespace

SessionLimits session_limits(uint32_t sessions, uint64_t bytes, uint16_t shard_count) {
  return {.sessions_per_shard = std::max<uint32_t>(1, sessions / shard_count), .bytes_per_shard = bytes / shard_count};
}

uint64_t session_of(const Effect& effect) { return effect.body.size() >= 9 ? load_le<uint64_t>(effect.body.data() + 1) : 0; }

Effect open_effect(uint64_t session, WallTime now, uint16_t shard_count, Buffer& body) {
  body = begin_body(Kind::kOpen, session);
  append_le(body, static_cast<uint64_t>(now.ns));
  return effect_of(session, shard_count, body);
}

Effect close_effect(uint64_t session, uint16_t shard_count, Buffer& body) {
  body = begin_body(Kind::kClose, session);
  return effect_of(session, shard_count, body);
}

Effect outcome_effect(const Numbered& request, Bytes result, WallTime now, uint16_t shard_count, Buffer& body) {
  bool kept = result.size() <= kMaxOutcomeBytes;
  body = begin_body(Kind::kOutcome, request.session);
  append_le(body, static_cast<uint64_t>(now.ns));
  append_le(body, request.number);
  append_le(body, request.answered);
  append_le(body, flags_of(kept, request.asked));
  if (request.asked != 0) append_le(body, request.asked);
  if (kept) body += result;
  return effect_of(request.session, shard_count, body);
}

// ---- The committed state ----

Result<> SessionTable::apply(Lsn lsn, Bytes body) {
  ByteReader in(body);
  auto kind = static_cast<Kind>(in.le<uint8_t>());
  auto id = in.le<uint64_t>();
  if (kind == Kind::kClose && in.ok() && in.rest().empty()) {
    erase(id);
    return {};
  }
  auto now = static_cast<int64_t>(in.le<uint64_t>());
  if (kind == Kind::kOpen && in.ok() && in.rest().empty()) {
    make_room(session_shard(id, shard_count_));
    adopt({.id = id, .used_ns = now, .outcomes = {}});
    return {};
  }
  auto number = in.le<uint64_t>(), answered = in.le<uint64_t>();
  auto flags = in.le<uint8_t>();
  uint64_t asked = flags & kAskedKnown ? in.le<uint64_t>() : 0;
  if (kind != Kind::kOutcome || !in.ok() || flags > (kResultKept | kAskedKnown)) return fail(Code::kCorrupt, "the log holds a malformed change of a session");
  auto at = sessions_.find(id);
  if (at == sessions_.end()) return {};  // it was closed meanwhile
  Session& s = at->second;
  touch(s, now);
  forget_through(s, std::min(answered, number - 1));
  if (number <= s.state.floor) return {};
  if (!s.state.outcomes.try_emplace(number, SessionOutcome{lsn, (flags & kResultKept) != 0, asked, Buffer(in.rest())}).second)
    return fail(Code::kCorrupt, "the log tells twice how a request of a session came out");
  count_bytes(s, static_cast<ptrdiff_t>(kOutcomeOverhead + in.rest().size()));
  while (s.bytes > kMaxSessionBytes) {
    SOMETIMES(true, "session-forgets-an-outcome");
    forget_through(s, s.state.outcomes.begin()->first);
  }
  save_bytes(session_shard(id, shard_count_));
  return {};
}

void SessionTable::adopt(SessionState state) {
  uint64_t id = state.id;
  erase(id);
  Session& s = sessions_[id];
  s.state = std::move(state);
  ShardId shard = session_shard(id, shard_count_);
  by_use_.insert({shard, s.state.used_ns, id});
  ++per_shard_[shard].sessions;
  for (const auto& [number, outcome] : s.state.outcomes) count_bytes(s, static_cast<ptrdiff_t>(kOutcomeOverhead + outcome.result.size()));
}

void SessionTable::damage(uint64_t session) {
  if (auto at = sessions_.find(session); at != sessions_.end()) at->second.state.damaged = true;
}

void SessionTable::touch(Session& s, int64_t now_ns) {
  ShardId shard = session_shard(s.state.id, shard_count_);
  by_use_.erase({shard, s.state.used_ns, s.state.id});
  s.state.used_ns = now_ns;
  by_use_.insert({shard, s.state.used_ns, s.state.id});
}

void SessionTable::erase(uint64_t session) {
  auto at = sessions_.find(session);
  if (at == sessions_.end()) return;
  ShardId shard = session_shard(session, shard_count_);
  by_use_.erase({shard, at->second.state.used_ns, session});
  count_bytes(at->second, -static_cast<ptrdiff_t>(at->second.bytes));
  if (--per_shard_[shard].sessions == 0) per_shard_.erase(shard);
  sessions_.erase(at);
}

void SessionTable::forget_through(Session& s, uint64_t number) {
  s.state.floor = std::max(s.state.floor, number);
  auto& outcomes = s.state.outcomes;
  while (!outcomes.empty() && outcomes.begin()->first <= s.state.floor) {
    count_bytes(s, -static_cast<ptrdiff_t>(kOutcomeOverhead + outcomes.begin()->second.result.size()));
    outcomes.erase(outcomes.begin());
  }
}

void SessionTable::count_bytes(Session& s, ptrdiff_t change) {
  s.bytes += static_cast<size_t>(change);
  per_shard_[session_shard(s.state.id, shard_count_)].bytes += static_cast<size_t>(change);
}

void SessionTable::make_room(ShardId shard) {
  auto use = per_shard_.find(shard);
  if (use == per_shard_.end() || use->second.sessions < limits_.sessions_per_shard) return;
  SOMETIMES(true, "session-makes-way");
  erase(std::get<2>(*by_use_.lower_bound({shard, INT64_MIN, 0})));
}

void SessionTable::save_bytes(ShardId shard) {
  for (auto at = by_use_.lower_bound({shard, INT64_MIN, 0}); per_shard_[shard].bytes > limits_.bytes_per_shard; ++at) {
    Session& s = sessions_.at(std::get<2>(*at));
    if (s.state.outcomes.empty()) continue;
    SOMETIMES(true, "session-forgets-for-others");
    forget_through(s, s.state.outcomes.rbegin()->first);
  }
}

std::vector<SessionState> SessionTable::list() const {
  std::vector<SessionState> out;
  out.reserve(sessions_.size());
  for (const auto& [id, s] : sessions_) out.push_back(s.state);
  return out;
}

const SessionState* SessionTable::find(uint64_t session) const {
  auto at = sessions_.find(session);
  return at == sessions_.end() ? nullptr : &at->second.state;
}

std::vector<uint64_t> SessionTable::unused_since(WallTime time, size_t most) const {
  std::vector<uint64_t> out;
  for (const auto& [shard, use] : per_shard_)
    for (auto at = by_use_.lower_bound({shard, INT64_MIN, 0}); at != by_use_.end() && std::get<0>(*at) == shard && std::get<1>(*at) < time.ns; ++at) {
      if (out.size() == most) return out;
      out.push_back(std::get<2>(*at));
    }
  return out;
}

// ---- Requests ----

Result<std::optional<SessionOutcome>> SessionTable::look(const Numbered& request) const {
  if (request.number == 0) return fail(Code::kBadRequest, "requests of a session are numbered from 1");
  auto at = sessions_.find(request.session);
  if (at == sessions_.end())
    return fail(Code::kSessionUnknown, "there is no such session: it was closed, or not used for too long; this request was not executed. Open another");
  const SessionState& s = at->second.state;
  if (auto done = s.outcomes.find(request.number); done != s.outcomes.end() && !MUTANT("session-forgets-outcomes")) {
    bool same = request.asked == 0 || done->second.asked == 0 || request.asked == done->second.asked || MUTANT("number-is-taken-twice");
    SOMETIMES(!same, "number-is-taken-already");
    if (same) return done->second;
    return fail(Code::kBadRequest, "the number belongs to another request of this session, which has been executed; this one was not: each needs a number of its own");
  }
  if (s.damaged)
    return fail(Code::kUnknownOutcome, "the log was damaged where it told of requests of this session: whether this one has happened is not known; open another session");
  if (request.number <= s.floor && !MUTANT("session-executes-what-it-forgot"))
    return fail(Code::kUnknownOutcome, "a request of this number, or a later one, has been answered or forgotten: whether this one has happened is not known any more");
  return std::optional<SessionOutcome>();
}

/// kUnknownOutcome: this attempt comes too late.
Result<> SessionTable::note_attempt(const Numbered& request) {
  constexpr size_t kMaxAttempts = 1024;
  auto at = sessions_.find(request.session);
  if (at == sessions_.end() || MUTANT("overtaken-attempt-is-executed")) return {};
  Session& s = at->second;
  forget_attempts(s, std::min(request.answered, request.number - 1));
  uint64_t newest = 0;
  if (auto known = s.attempts.find(request.number); known != s.attempts.end()) newest = known->second;
  SOMETIMES(request.number <= s.answered || request.attempt < newest, "overtaken-attempt-comes");
  if (request.number <= s.answered || request.attempt < newest)
    return fail(Code::kUnknownOutcome, "this attempt of the request was overtaken by a later one, or by the answer to one, and was not executed");
  if (request.attempt == 1) return {};
  if (s.attempts.insert_or_assign(request.number, request.attempt).second) remember_attempts({request.session, request.number});
  if (s.attempts.size() > kMaxAttempts) forget_attempts(s, s.attempts.begin()->first);
  return {};
}

void SessionTable::forget_attempts(Session& s, uint64_t through) {
  s.answered = std::max(s.answered, through);
  s.attempts.erase(s.attempts.begin(), s.attempts.upper_bound(s.answered));
}

/// In place of the oldest, of whatever session.
void SessionTable::remember_attempts(Request request) {
  sent_again_.push_back(request);
  if (sent_again_.size() <= limits_.attempts) return;
  auto [session, number] = sent_again_.front();
  sent_again_.pop_front();
  auto at = sessions_.find(session);
  if (at != sessions_.end() && at->second.attempts.contains(number)) forget_attempts(at->second, number);
}

io::Task<Result<std::optional<SessionOutcome>>> SessionTable::begin(Numbered request) {
  for (;;) {
    HF_CO_TRY(outcome, look(request));
    if (outcome) co_return outcome;
    HF_CO_CHECK_OK(note_attempt(request));
    auto [at, mine] = under_way_.try_emplace({request.session, request.number});
    if (mine || MUTANT("session-does-not-wait")) {
      if (!at->second) at->second = std::make_unique<io::WaitList>();
      co_return std::optional<SessionOutcome>();
    }
    SOMETIMES(true, "request-waits-for-its-first-attempt");
    co_await at->second->wait();
  }
}

void SessionTable::end(const Numbered& request) {
  auto at = under_way_.find({request.session, request.number});
  if (at == under_way_.end()) return;
  at->second->notify_all();
  under_way_.erase(at);
}

io::Task<Result<std::optional<SessionOutcome>>> SessionTable::ask(Numbered request) {
  for (;;) {
    HF_CO_TRY(outcome, look(request));
    auto at = under_way_.find({request.session, request.number});
    if (outcome || at == under_way_.end()) co_return outcome;
    co_await at->second->wait();
  }
}

}  // namespace holdfast::core
