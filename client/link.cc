#include "client/link.h"

#include <fmt/core.h>

#include "io/base/assert.h"
#include "io/base/probe.h"

namespace holdfast::client {
namespace {

constexpr size_t kKeptCapacity = 1u << 20;

Outcome not_sent(Error error) { return {.kind = Outcome::Kind::kNotSent, .error = std::move(error)}; }

}  // namespace

io::Task<Outcome> Link::request(wire::RequestWriter::Head head, Bytes args, Time deadline) {
  struct Counted {
    size_t& n;
    explicit Counted(size_t& load) : n(load) { ++n; }
    ~Counted() { --n; }
  };
  auto self = shared_from_this();
  io::Executor& here = co_await io::this_executor();
  Counted counted(load_);
  if (auto ready = co_await connect(deadline); !ready) co_return not_sent(std::move(ready.error()));
  if (auto ready = co_await room(deadline); !ready) co_return not_sent(std::move(ready.error()));
  uint64_t id = 0;
  auto queued = enqueue(head, args, here.now(), id);
  if (!queued) co_return Outcome{.kind = Outcome::Kind::kAnswered, .error = queued.error()};
  std::shared_ptr<Pending> pending = std::move(*queued);
  if (!co_await pending->settled.wait(deadline)) forget(id, *pending, here.now());
  co_return std::move(pending->outcome);
}

io::Task<Result<>> Link::connect(Time deadline) {
  io::Executor& here = co_await io::this_executor();
  uint64_t failures = failed_dials_;
  while (state_ == State::kConnecting || state_ == State::kEnding)
    if (!co_await changed_.wait(deadline))
      co_return fail(Code::kTimeout, "no connection to " + options_.server.text() + " in time");
  if (closed_) co_return fail(Code::kClosed, "the client is closed");
  if (state_ == State::kUp) co_return Result<>();
  if (failed_dials_ != failures) co_return std::unexpected(dial_error_);  // the attempt that we waited for failed

  state_ = State::kConnecting;
  auto made =
      co_await host_.network.connect(options_.server, std::min(deadline, here.now() + options_.connect_timeout));
  if (!made && !closed_)
    co_return dial_failed({Code::kUnreachable, fmt::format("no connection to {} ({}); is a server running there?",
                                                           options_.server.text(), made.error().message)});
  if (!made) co_return dial_failed({Code::kClosed, "the client is closed"});
  connection_ = std::move(*made);
  seals_.reset();
  if (options_.login && !closed_) {
    Result<> agreed = co_await shake_hands(std::min(deadline, here.now() + options_.connect_timeout));
    if (!agreed && !closed_) {
      Error& e = agreed.error();
      bool final_word = e.code == Code::kAuth || e.code == Code::kUnsupported || e.code == Code::kOverloaded;
      co_return dial_failed(final_word ? std::move(e)
                                       : Error{Code::kUnreachable, fmt::format("no encrypted connection to {} ({})",
                                                                               options_.server.text(), e.message)});
    }
  }
  if (closed_) co_return dial_failed({Code::kClosed, "the client is closed"});
  begin_life(here.now());
  here.spawn(write_loop(shared_from_this()));
  here.spawn(run(shared_from_this()));
  changed_.notify_all();
  co_return Result<>();
}

std::unexpected<Error> Link::dial_failed(Error error) {
  connection_.reset();
  state_ = State::kDown;
  ++failed_dials_;
  dial_error_ = std::move(error);
  changed_.notify_all();
  return std::unexpected(dial_error_);
}

void Link::begin_life(Time now) {
  reader_.reset();
  unsent_.clear();
  queue_.clear();
  last_received_ = now;
  answered_ = false;
  refusal_.reset();
  state_ = State::kUp;
  writer_ended_ = false;
  greet();
}

/// Costs no round trip: it leaves together with the first request, and nobody waits for its answer.
void Link::greet() {
  size_t start = unsent_.size();
  wire::RequestWriter writer(unsent_, {.id = next_id_++, .op = wire::Op::kHello});
  writer.args().raw(options_.hello);
  bool fits = writer.end().has_value();
  HF_ASSERT(fits, "a hello is small");
  seal_from(start);
}

io::Task<Result<>> Link::room(Time deadline) {
  // A connection that breaks meanwhile settles nothing of ours: we are not in its list yet.
  while (state_ == State::kUp &&
         (pending_.size() >= options_.max_in_flight || unsent_.size() >= options_.max_unsent_bytes))
    if (!co_await freed_.wait(deadline)) co_return fail(Code::kTimeout, "the connection's queue did not move in time");
  if (state_ != State::kUp) co_return fail(Code::kUnreachable, "the connection broke before this request was sent");
  co_return Result<>();
}

Result<std::shared_ptr<Link::Pending>> Link::enqueue(wire::RequestWriter::Head head, Bytes args, Time now,
                                                     uint64_t& id) {
  id = head.id = next_id_++;
  size_t start = unsent_.size();
  wire::RequestWriter writer(unsent_, head);
  writer.args().raw(args);
  HF_CHECK_OK(writer.end());
  seal_from(start);
  if (pending_.empty()) busy_since_ = now;
  auto pending = std::make_shared<Pending>();
  pending_.emplace(id, pending);
  queue_.push_back(pending);
  work_.notify_one();
  return pending;
}

/// The deadline passed. A connection on which nothing at all has come for as long as a whole call may take is given up:
/// its peer may be gone for good, and only a new connection can tell.
void Link::forget(uint64_t id, Pending& pending, Time now) {
  if (pending_.erase(id) == 0) return;  // settled in this very turn
  if (state_ == State::kUp && now - std::max(last_received_, busy_since_) >= options_.patience) {
    SOMETIMES(true, "client-gives-up-a-silent-connection");
    break_off();
  }
  // Bytes that still wait in the queue of a live connection may yet go out.
  bool certain = !pending.sent && state_ != State::kUp;
  pending.outcome = {.kind = certain ? Outcome::Kind::kNotSent : Outcome::Kind::kLost,
                     .error = Error{Code::kTimeout, "no answer from " + options_.server.text() + " in time"}};
  freed_.notify_all();
}

// --- One connection's life ---

io::Task<void> Link::run(std::shared_ptr<Link> self) {
  Link& link = *self;
  Error why = co_await link.read_loop();
  SOMETIMES(link.reader_.in_frame(), "client-connection-broke-inside-a-frame");
  link.break_off();
  while (!link.writer_ended_) co_await link.changed_.wait();
  link.settle_all(why);
  link.connection_.reset();
  link.state_ = State::kDown;
  link.changed_.notify_all();
}

io::Task<Error> Link::read_loop() {
  io::Executor& here = co_await io::this_executor();
  for (;;) {
    auto n = co_await connection_->read_some(reader_.prepare());
    if (!n) co_return n.error();
    if (*n == 0) co_return Error{Code::kClosed, "the server closed the connection"};
    last_received_ = here.now();
    reader_.commit(*n);
    if (auto broken = take_replies()) co_return *std::move(broken);
  }
}

std::optional<Error> Link::take_replies() {
  for (;;) {
    auto payload = reader_.next();
    if (!payload) return payload.error();
    if (!*payload) return std::nullopt;
    if (seals_) {
      *payload = seals_->opener.open(reader_.payload());
      SOMETIMES(!*payload, "client-refuses-a-sealed-frame");
      if (!*payload) return Error{Code::kAuth, "what came was garbled on its way, or somebody changed it"};
    }
    auto reply = wire::parse_reply(**payload);
    if (!reply) return reply.error();
    auto it = pending_.find(reply->id);
    if (it == pending_.end()) {
      // Id 0 is the server's word to the connection itself. Else: an answer that nobody waits for any more.
      if (reply->id == 0 && !answered_ && !reply->ok()) refusal_ = reply->failure();
      continue;
    }
    answered_ = true;
    auto pending = std::move(it->second);
    pending_.erase(it);
    settle(*pending, *reply);
    freed_.notify_one();
  }
}

void Link::settle(Pending& pending, const wire::Reply& reply) {
  Outcome& out = pending.outcome;
  out.kind = Outcome::Kind::kAnswered;
  if (!reply.ok()) out.error = reply.failure();
  out.result = Buffer(reply.result);
  out.lsn = reply.lsn;
  out.durable_lsn = reply.durable_lsn;
  pending.settled.set();
}

void Link::settle_all(const Error& why) {
  for (auto& [id, pending] : std::exchange(pending_, {})) {
    Outcome& out = pending->outcome;
    out.kind = refusal_ ? Outcome::Kind::kRefused : pending->sent ? Outcome::Kind::kLost : Outcome::Kind::kNotSent;
    if (refusal_)
      out.error = refusal_;
    else if (closed_)
      out.error = Error{Code::kClosed, "the client was closed"};
    else
      out.error = Error{Code::kUnreachable,
                        fmt::format("the connection to {} broke ({})", options_.server.text(), why.message)};
    pending->settled.set();
  }
  freed_.notify_all();
}

io::Task<void> Link::write_loop(std::shared_ptr<Link> self) {
  Link& link = *self;
  while (link.state_ == State::kUp) {
    if (link.unsent_.empty()) {
      co_await link.work_.wait();
      continue;
    }
    std::swap(link.sending_, link.unsent_);
    for (auto& pending : std::exchange(link.queue_, {})) pending->sent = true;
    link.freed_.notify_all();
    auto written = co_await link.connection_->write_all(link.sending_);
    link.sending_.clear();
    if (link.sending_.capacity() > kKeptCapacity) Buffer().swap(link.sending_);
    if (!written) break;
  }
  link.break_off();
  link.writer_ended_ = true;
  link.changed_.notify_all();
}

/// Ends the connection; its two tasks notice, and the reading one cleans up.
void Link::break_off() {
  if (state_ != State::kUp) return;
  state_ = State::kEnding;
  connection_->close();
  work_.notify_all();
  freed_.notify_all();
  changed_.notify_all();
}

void Link::close() {
  closed_ = true;
  if (state_ == State::kConnecting && connection_) connection_->close();
  break_off();
  changed_.notify_all();
}

io::Task<void> Link::ended() {
  while (state_ != State::kDown) co_await changed_.wait();
}

}  // namespace holdfast::client
