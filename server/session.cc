#include "server/session.h"

#include <fmt/format.h>

#include "io/base/probe.h"
#include "server/operations.h"

namespace holdfast::server {
namespace {

// What a request costs besides its payload: coroutine frames, its place in the engine's queues, a short answer.
constexpr uint64_t kRequestOverhead = 1024;
// Payloads up to this size are copied out of the read buffer; that is cheaper than another buffer.
constexpr size_t kCopied = 4 << 10;
// How much of a refused frame is waited for in the hope of finding the request's id.
constexpr size_t kPeeked = 512;
// A peer that has sent so many bytes of a frame is given more time for the rest.
constexpr size_t kProgress = 64 << 10;

}  // namespace

Session::Session(ServerCore& core, std::unique_ptr<io::Connection> connection)
    : core_(core), connection_(std::move(connection)), frames_(core.limits().request_bytes) {}

io::Task<void> Session::run() {
  // Who may do nothing before a handshake is given the time of one.
  if (core_.logins.guarded()) handshake_until_ = core_.executor().now() + core_.limits().handshake_time;
  fibers_.start(core_.executor(), write_loop());
  co_await read_loop();
  while (under_way_ > 0 || unsent_ > 0) co_await changed_.wait();
  if (linger_until_ != Time::never()) co_await linger();
  ended_ = true;
  output_ready_.notify_one();
  connection_->close();
  while (fibers_.running() > 0) co_await changed_.wait();
  core_.large_frames.give(std::exchange(reserved_, 0));
}

// --- Reading.

io::Task<void> Session::read_loop() {
  while (!broken_) {
    if (!co_await start_frames()) break;
    if (std::optional<size_t> announced = frames_.announced();
        announced && *announced > core_.limits().large_frame && reserved_ == 0) {
      frame_since_ = Time::never();  // from here on the peer waits for us
      co_await core_.large_frames.take(*announced);
      reserved_ = *announced;
      note_progress(Progress::kFrames);
    }
    if (broken_ || !co_await read_more()) break;
  }
}

// Starts every request that has arrived whole. False: nothing more is to be read.
io::Task<bool> Session::start_frames() {
  uint32_t started = 0;
  while (true) {
    Result<std::optional<Bytes>> frame = next_frame();
    if (!frame && seals_ && frame.error().code == Code::kAuth) {
      break_off();
      co_return false;
    }
    if (!frame) {
      co_await refuse_frame(std::move(frame.error()));
      co_return false;
    }
    if (!*frame) break;
    Hold hold = price(**frame);
    if (!may_start() || !hold.budget->try_take(hold.bytes)) {
      SOMETIMES(true, "session-waits-for-room");
      frame_since_ = Time::never();
      if (!co_await wait_for_room(hold)) co_return false;
    }
    start(**frame, hold);
    if (++started % core_.limits().starts_per_turn == 0) co_await io::yield();
    if (broken_) co_return false;
  }
  note_progress(started > 0 ? Progress::kFrames : Progress::kBytes);
  co_return true;
}

// The next request. Of a sealed connection: opened; kAuth when it is not what the peer sealed next. Of a plaintext one:
// kAuth when the frame is one that only those may send who have logged in.
Result<std::optional<Bytes>> Session::next_frame() {
  Result<std::optional<Bytes>> frame = frames_.next();
  if (!frame && access_.is_stranger())
    return fail(
        Code::kAuth,
        fmt::format("this server has users, and takes at most {} bytes in one request of who has not logged in; "
                    "connect with a user name and a password (holdfast --user NAME)",
                    core_.limits().stranger_bytes));
  if (!seals_ || !frame || !*frame) return frame;
  std::optional<Bytes> message = seals_->opener.open(frames_.payload());
  if (message) return message;
  SOMETIMES(true, "sealed-frame-refused");
  ++core_.metrics.handshakes_refused;
  return fail(Code::kAuth, "a frame is not what the peer sealed next");
}

io::Task<bool> Session::read_more() {
  MutableBytes room = frames_.prepare();
  Result<size_t> n = co_await connection_->read_some(room);
  if (!n) {
    break_off();
    co_return false;
  }
  if (*n == 0) {
    // The peer has closed its side, and may still read: what runs is answered. An insert whose answer has not left is
    // one that it may repeat.
    peer_closed_ = true;
    if (under_way_ > 0 || unsent_ > 0) insert_broke();
    co_return false;
  }
  core_.metrics.bytes_received += *n;
  received_ += *n;
  if (received_ == *n) co_return co_await begin_connection(*n);
  frames_.commit(*n);
  co_return true;
}

// Takes what a request is to hold once there is room for another one; false when the connection broke first.
io::Task<bool> Session::wait_for_room(const Hold& hold) {
  while (true) {
    while (!broken_ && !may_start()) co_await changed_.wait();
    if (broken_) co_return false;
    co_await hold.budget->take(hold.bytes);
    if (!broken_ && may_start()) co_return true;
    hold.budget->give(hold.bytes);
  }
}

bool Session::may_start() const {
  const Limits& limits = core_.limits();
  return under_way_ < limits.requests_per_connection && unsent_ < limits.output_per_connection;
}

// A frame that reserved its room has paid for its payload there. Writes have a budget of their own: where the disk keeps
// them waiting, reads still pass.
Session::Hold Session::price(Bytes payload) {
  const wire::OpInfo* op = wire::info(wire::peek_op(payload));
  bool writes = op && op->effect != wire::Effect::kReads && !MUTANT("writes-hold-up-reads");
  return {.budget = writes ? &core_.writes : &core_.requests,
          .bytes = kRequestOverhead + (reserved_ > 0 ? 0 : payload.size())};
}

// Notes how long the peer takes for the frame that is arriving: the clock starts anew with every frame, and with every
// so many bytes.
void Session::note_progress(Progress progress) {
  if (!frames_.in_frame()) {
    frame_since_ = Time::never();
  } else if (progress == Progress::kFrames || frame_since_ == Time::never() || received_ - frame_mark_ >= kProgress) {
    frame_since_ = core_.executor().now();
    frame_mark_ = received_;
  }
}

// A frame that is not taken: says so, under its request's id if that can be told soon, and ends the connection, whose
// stream has lost its place.
io::Task<void> Session::refuse_frame(Error error) {
  note_progress(Progress::kFrames);
  refusal_ = std::move(error);
  refuse_at_ = core_.executor().now() + core_.limits().linger;
  // Of a sealed frame nothing can be told before it is whole.
  std::optional<uint64_t> id = seals_ ? 0 : wire::peek_id(frames_.unfinished());
  while (!id && refusal_ && !broken_ && frames_.unfinished().size() < kPeeked && co_await read_more())
    id = wire::peek_id(frames_.unfinished());
  tell_refusal(id.value_or(0));
}

// Also by watch(), while refuse_frame() still reads.
void Session::tell_refusal(uint64_t id) {
  refuse_at_ = Time::never();
  std::optional<Error> error = std::exchange(refusal_, std::nullopt);
  if (!error || broken_) return;
  SOMETIMES(id == 0, "frame-refused-without-an-id");
  Call call{.core = core_, .answers = *this, .access = access_};
  call.request.id = id;
  call.fail(*error);
  linger_until_ = core_.executor().now() + core_.limits().linger;
}

// Reads and forgets what the peer still sends, so that it gets to read the refusal before a reset.
io::Task<void> Session::linger() {
  frames_.reset();
  while (!broken_) {
    Result<size_t> n = co_await connection_->read_some(frames_.prepare());
    if (!n || *n == 0) break;
  }
}

// --- Requests.

void Session::start(Bytes payload, Hold hold) {
  if (under_way_ > 0) matches_ids_ = true;
  ++under_way_;
  ++core_.metrics.requests_under_way;
  started_ = core_.executor().now();
  hold.large_frames = std::exchange(reserved_, 0);
  fibers_.start(core_.executor(), execute(keep(payload), hold));
}

Session::Payload Session::keep(Bytes payload) {
  Payload out;
  if (payload.size() > kCopied && payload.size() >= frames_.capacity() / 2) {
    out.detached = frames_.detach();
    out.bytes = payload;
  } else {
    out.copy = core_.buffers.take();
    out.copy.assign(payload);
  }
  return out;
}

Fiber Session::execute(Payload payload, Hold hold) {
  Call call{.core = core_, .answers = *this, .access = access_};
  Result<> parsed = wire::parse_request(payload.detached ? payload.bytes : Bytes(payload.copy), call.request);
  call.silent = call.request.no_reply;
  if (!parsed) {
    call.fail(parsed.error());
  } else if (begin_call(call)) {
    uint64_t request = note_insert(call);
    if (io::Task<void> work = begin(call)) co_await std::move(work);
    insert_ended(request, !call.failed);
  }
  call.room.give_back();
  end_request(std::move(payload), hold);
}

// What a session knows about its requests. False: answered already.
bool Session::begin_call(Call& call) {
  last_insert_.reset();
  if (core_.stopping()) {
    call.fail({Code::kShuttingDown, "the server is stopping; connect again when it is back"});
    return false;
  }
  if (call.request.op == wire::Op::kHello) matches_ids_ = true;
  return true;
}

// The request's number. An insert with a number in a session is told from others by that: another client's is no repeat of it.
uint64_t Session::note_insert(Call& call) {
  ++requests_;
  bool inserts = call.request.op == wire::Op::kInsertOne || call.request.op == wire::Op::kInsertMany;
  if (inserts && call.request.session == 0) {
    call.fingerprint = insert_fingerprint(call.request, connection_->peer());
    last_insert_ = {*call.fingerprint, requests_};
  }
  return requests_;
}

void Session::insert_ended(uint64_t request, bool inserted) {
  if (!last_insert_ || last_insert_->request != request) return;
  last_insert_->under_way = false;
  if (last_insert_->broke) core_.insert_ended(*last_insert_->broke, inserted);
  if (last_insert_->broke || !inserted) last_insert_.reset();
}

void Session::end_request(Payload payload, Hold hold) {
  hold.budget->give(hold.bytes);
  core_.large_frames.give(hold.large_frames);
  if (!payload.detached) core_.buffers.give(std::move(payload.copy));
  --under_way_;
  --core_.metrics.requests_under_way;
  something_ended();
}

void Session::something_ended() {
  changed_.notify_one();
  if (finishing_ && under_way_ == 0 && unsent_ == 0) connection_->close();
}

// --- Answers.

Buffer* Session::open() {
  if (broken_) return nullptr;
  Duration late = core_.limits().late_reply;
  if (late.ns > 0 && !matches_ids_ && under_way_ > 0 && core_.executor().now() - started_ > late) {
    SOMETIMES(true, "late-reply-closes-its-connection");
    ++core_.metrics.connections_late;
    break_off();
    return nullptr;
  }
  if (output_.empty()) output_ = core_.buffers.take();
  return &output_;
}

void Session::written(size_t bytes, Room room) {
  if (seals_) {
    seals_->sealer.seal(output_, output_.size() - bytes);
    bytes += seals_->sealer.overhead();
  }
  unsent_ += bytes;
  Budget& budget = room.budget ? *room.budget : core_.requests;
  budget.charge(bytes);
  if (!MUTANT("room-kept-by-who-has-answered")) room.give_back();
  if (unsent_rooms_.empty() || unsent_rooms_.back().budget != &budget) unsent_rooms_.push_back({&budget, 0});
  unsent_rooms_.back().bytes += bytes;
  output_ready_.notify_one();
}

Fiber Session::write_loop() {
  while (!ended_) {
    if (output_.empty() || broken_) {
      co_await output_ready_.wait();
      continue;
    }
    writing_ = std::exchange(output_, Buffer());
    if (Result<> done = co_await write_out(); !done) break_off();
    core_.buffers.give(std::exchange(writing_, Buffer()));
    something_ended();
  }
  changed_.notify_one();
}

// In slices, so that a slow reader is told from one that does not read.
io::Task<Result<>> Session::write_out() {
  constexpr size_t kSlice = 256 << 10;
  Bytes rest = writing_;
  Result<> done;
  while (!rest.empty() && done) {
    Bytes slice = rest.substr(0, kSlice);
    write_since_ = core_.executor().now();
    done = co_await connection_->write_all(slice);
    if (!done) break;
    core_.metrics.bytes_sent += slice.size();
    sent(slice.size());
    rest.remove_prefix(slice.size());
  }
  write_since_ = Time::never();
  sent(rest.size());
  co_return done;
}

void Session::sent(uint64_t bytes) {
  unsent_ -= bytes;
  size_t done = 0;
  for (Room& room : unsent_rooms_) {
    uint64_t part = std::min(room.bytes, bytes);
    room.budget->give(part);
    room.bytes -= part;
    bytes -= part;
    if (room.bytes > 0) break;
    ++done;
  }
  unsent_rooms_.erase(unsent_rooms_.begin(), unsent_rooms_.begin() + static_cast<ptrdiff_t>(done));
}

// --- Ends.

void Session::break_off() {
  if (std::exchange(broken_, true)) return;
  insert_broke();
  connection_->close();
  sent(output_.size());
  core_.buffers.give(std::exchange(output_, Buffer()));
  changed_.notify_one();
}

// The newest request's answer may not be read.
void Session::insert_broke() {
  if (!last_insert_ || last_insert_->broke) return;
  if (last_insert_->under_way)
    last_insert_->broke = core_.insert_broke_under_way(last_insert_->fingerprint);
  else
    core_.insert_broke(std::exchange(last_insert_, std::nullopt)->fingerprint);
}

void Session::users_changed(std::string_view name) {
  if (access_.is_open()) enter_plain();
  if (access_.name() != name) return;
  access_ = Access::revoked();
  finish();
}

void Session::finish() {
  finishing_ = true;
  something_ended();
}

void Session::watch(Time now, Duration patience) {
  if (now >= refuse_at_) return tell_refusal(0);
  if (now >= linger_until_) return connection_->close();
  if (now >= handshake_until_) {
    SOMETIMES(true, "handshake-takes-too-long");
    if (received_ > 0) ++core_.metrics.handshakes_refused;
    return break_off();
  }
  Time since = std::min(frame_since_, write_since_);
  if (since == Time::never() || now - since <= patience || broken_) return;
  SOMETIMES(true, "stalled-connection-is-closed");
  ++core_.metrics.connections_stalled;
  break_off();
}

}  // namespace holdfast::server
