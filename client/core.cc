#include "client/core.h"

#include <fmt/core.h>

#include "client/login.h"

#include "io/base/assert.h"
#include "io/base/probe.h"

namespace holdfast::client {
namespace {

/// A repeat of an insert is recognised by the server for 60 seconds.
constexpr Duration kRepeatWindow = seconds(50);

bool may_resend(const Call& call, bool numbered, Duration since_first) {
  if (numbered) return true;
  if (MUTANT("client-sends-a-lost-write-again")) return true;
  if (call.resend == Resend::kNever) return false;
  // What was written within a transaction would be there twice.
  if (!call.transaction.empty() && wire::info(call.op)->effect == wire::Effect::kWrites) return false;
  if (call.resend == Resend::kAlways)
    return wire::info(call.op)->effect != wire::Effect::kWrites || since_first < kRepeatWindow;
  const wire::OpInfo* info = wire::info(call.op);
  return info && info->effect != wire::Effect::kWrites;
}

bool changes_nothing(const Call& call) {
  const wire::OpInfo* info = wire::info(call.op);
  return info && info->effect == wire::Effect::kReads;
}

/// Errors after which the server itself does not know.
bool is_uncertain(Code code) {
  return code == Code::kInternal || code == Code::kTimeout || code == Code::kUnknownOutcome;
}


/// Errors that say "not executed, try later".
bool is_temporary(Code code) { return code == Code::kOverloaded || code == Code::kShuttingDown; }
/// Whether an error is the outcome, whatever became of earlier attempts: the server executes a numbered request once, and knows when that is over; a
/// transaction commits once, and it remembers how that came out.
bool is_final(const Call& call, Numbers::Number number, Code code) {
  if (is_uncertain(code) || is_temporary(code)) return false;
  if (call.op == wire::Op::kTxCommit && code == Code::kTxUnknown) return false;
  return call.op == wire::Op::kTxCommit || (number.any() && code != Code::kSessionUnknown);
}

std::unexpected<Error> unknown_outcome(const Call& call, std::string_view why, Numbers::Number number = {}) {
  if (MUTANT("unknown-outcome-reported-as-failure")) return fail(Code::kUnreachable, "the connection broke");
  std::string ask = number.any() ? fmt::format(", or ask for the outcome of request {} of session {}", number.number, number.session) : "";
  return fail(Code::kUnknownOutcome,
              fmt::format("{} may or may not have happened: {}; read before trying again{}", wire::name(call.op), why, ask));
}

}  // namespace

Core::Core(io::Host& host, Options options)
    : host_(host), options_(std::move(options)), jitter_(host.random.entropy64()) {
  HF_ASSERT(options_.connections > 0 && options_.max_in_flight > 0, "a client without connections can do nothing");
  std::shared_ptr<Login> login = options_.login ? std::make_shared<Login>(*options_.login) : nullptr;
  for (size_t i = 0; i < options_.connections; ++i)
    links_.push_back(
        std::make_shared<Link>(host_, LinkOptions{.server = options_.server,
                                                  .max_in_flight = options_.max_in_flight,
                                                  .max_unsent_bytes = options_.max_unsent_bytes,
                                                  .connect_timeout = options_.connect_timeout,
                                                  .hello = hello_args(options_),
                                                  .patience = std::min(options_.timeout, options_.connect_timeout),
                                                  .login = login}));
}

io::Task<Result<>> Core::open_session(Time deadline) {
  const Call call{.op = wire::Op::kOpenSession, .collection = {}, .args = {}};
  bool lost = false;
  auto answer = co_await exchange(call, Absent::kIsAnError, {}, deadline, lost);
  if (!answer && answer.error().code == Code::kUnsupported) {
    has_no_sessions_ = true;
    co_return Result<>();
  }
  HF_CO_CHECK_OK(answer);
  msgpack::Value id;
  auto raw = msgpack::lookup(answer->value, "session");
  if (!raw || !msgpack::Cursor(*raw).next(id) || id.kind != msgpack::Kind::kUint) co_return fail(Code::kInternal, "the server's answer names no session");
  numbers_.begin(id.u);
  co_return Result<>();
}

/// A number for a change; none when the server has no sessions. Who waits while another opens the session shares its failure: one after the other would be long.
io::Task<Result<Numbers::Number>> Core::take_number(Time deadline) {
  const uint64_t failed_before = failed_openings_;
  co_await opening_.acquire(1);
  Result<> opened;
  if (!numbers_.open() && !has_no_sessions_) {
    opened = failed_openings_ == failed_before ? co_await open_session(deadline) : Result<>(fail(opening_error_.code, opening_error_.message));
    if (!opened && failed_openings_ == failed_before) {
      opening_error_ = opened.error();
      ++failed_openings_;
    }
  }
  opening_.release(1);
  HF_CO_CHECK_OK(opened);
  co_return has_no_sessions_ ? Numbers::Number{} : numbers_.take();
}

io::Task<Result<Answer<Buffer>>> Core::call(Call call, Absent absent) {
  if (!call.args.empty()) HF_CO_CHECK_OK(check_value("args", call.args));
  const wire::OpInfo* info = wire::info(call.op);
  const bool once = options_.sessions && info && info->once && call.transaction.empty() && call.resend != Resend::kNever;
  constexpr int kSessions = 3;  // that may be gone one after the other
  io::Executor& here = co_await io::this_executor();
  const Time deadline = here.now() + options_.timeout;
  bool lost = false;
  for (int tried = 1;; ++tried) {
    Numbers::Number number;
    if (once) {
      auto taken = co_await take_number(deadline);
      if (!taken && lost) co_return unknown_outcome(call, taken.error().message);
      // Nothing of this call was sent.
      if (!taken && taken.error().code == Code::kUnknownOutcome) co_return fail(Code::kUnreachable, "no session could be opened: " + taken.error().message);
      if (!taken) co_return fail(taken);
      number = *taken;
    }
    auto answer = co_await exchange(call, absent, number, deadline, lost);
    numbers_.end(number);
    if (answer || !number.any()) co_return answer;
    Code code = answer.error().code;
    if (code == Code::kSessionUnknown || code == Code::kUnknownOutcome) numbers_.retire(number.session);
    if (code != Code::kSessionUnknown) co_return answer;
    if (tried == kSessions) co_return lost ? Result<Answer<Buffer>>(unknown_outcome(call, answer.error().message)) : answer;
    SOMETIMES(true, "client-opens-another-session");
  }
}

io::Task<Result<Answer<Buffer>>> Core::exchange(const Call& call, Absent absent, Numbers::Number number, Time deadline, bool& lost) {
  io::Executor& here = co_await io::this_executor();
  const std::string database = call.database.empty() ? options_.database : call.database;
  const Bytes args = call.args.empty() ? Bytes("\x80") : Bytes(call.args);
  Time first_sent;

  for (int attempt = 1;; ++attempt) {
    Time asked = here.now();
    wire::RequestWriter::Head head{.op = call.op,
                                   .database = database,
                                   .collection = call.collection,
                                   .transaction = call.transaction,
                                   .session = number.session,
                                   .number = number.number,
                                   .answered = numbers_.answered(number.session),
                                   .attempt = static_cast<uint64_t>(attempt)};
    Outcome out = co_await pick().request(head, args, deadline);
    if (out.kind == Outcome::Kind::kAnswered && !out.error)
      co_return Answer<Buffer>{{out.lsn, out.durable_lsn}, std::move(out.result)};

    Error error = std::move(*out.error);
    bool answered = out.kind == Outcome::Kind::kAnswered;
    if (answered && is_final(call, number, error.code)) co_return std::unexpected(std::move(error));
    if (answered && error.code == Code::kNotFound && absent == Absent::kIsEmpty)
      co_return Answer<Buffer>{{out.lsn, out.durable_lsn}, {}};
    // Of a session that is gone, what earlier attempts did is not known.
    if (answered && number.any() && error.code == Code::kSessionUnknown && !lost) co_return std::unexpected(std::move(error));
    bool again = !answered || is_temporary(error.code) || (number.any() && error.code == Code::kInternal);
    if (out.kind == Outcome::Kind::kLost || (answered && is_uncertain(error.code))) {
      if (!lost) first_sent = asked;
      lost = true;
    }
    // Once one attempt's fate is unknown, an error speaks for the later attempt alone: it cannot say that nothing
    // happened.
    if (lost && !changes_nothing(call) && !may_resend(call, number.any(), here.now() - first_sent))
      co_return unknown_outcome(call, error.message);
    again = again && error.code != Code::kClosed && error.code != Code::kAuth && attempt < options_.max_attempts;
    Time resume = here.now() + backoff(attempt);
    if (again && resume < deadline) {
      SOMETIMES(lost, "client-sends-again-what-it-lost");
      co_await io::sleep_until(resume);
      continue;
    }
    if (lost && !changes_nothing(call)) co_return unknown_outcome(call, error.message, number);
    co_return std::unexpected(std::move(error));
  }
}

/// The link with the least to do. Among equals one that is up, so that a lone caller stays on one connection.
Link& Core::pick() {
  Link* best = links_.front().get();
  for (auto& link : links_) {
    bool less = link->load() < best->load();
    bool up = link->load() == best->load() && link->is_up() && !best->is_up();
    if (less || up) best = link.get();
  }
  return *best;
}

Duration Core::backoff(int attempt) {
  int64_t full = options_.backoff_first.ns;
  for (int i = 1; i < attempt && full < options_.backoff_max.ns; ++i) full *= 2;
  full = std::min(full, options_.backoff_max.ns);
  return nanoseconds(full / 2 + static_cast<int64_t>(jitter_.below(static_cast<uint64_t>(full / 2 + 1))));
}

/// So that the server need not remember it for a day.
io::Task<void> Core::close_session() {
  constexpr Duration kPatience = seconds(1);
  io::Executor& here = co_await io::this_executor();
  Link& link = pick();
  if (!numbers_.open() || !link.is_up()) co_return;
  Buffer args;
  msgpack::Writer(args).map(1).string("session").uint(numbers_.session());
  numbers_.retire(numbers_.session());
  (void)co_await link.request({.op = wire::Op::kCloseSession}, args, here.now() + kPatience);
}

io::Task<void> Core::close() {
  co_await close_session();
  for (auto& link : links_) link->close();
  for (auto& link : links_) co_await link->ended();
}

std::string Core::generate_id() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr size_t kFair = 256 / kLetters.size() * kLetters.size();  // above it some letters would come more often
  std::string id;
  while (id.size() < 60) {
    if (entropy_.empty()) {
      entropy_.resize(1024);
      host_.random.entropy(entropy_);
    }
    auto byte = static_cast<uint8_t>(entropy_.back());
    entropy_.pop_back();
    if (byte < kFair) id += kLetters[byte % kLetters.size()];
  }
  return id;
}

Buffer hello_args(const Options& options) {
  Buffer args;
  msgpack::Writer w(args);
  w.map(3).string("client").string("holdfast").string("protocol").uint(1);
  w.string("capabilities").array(static_cast<uint32_t>(options.capabilities.size()));
  for (const auto& c : options.capabilities) w.string(c);
  return args;
}

Result<> check_value(std::string_view what, Bytes value, std::optional<msgpack::Kind> kind) {
  msgpack::Cursor in(value);
  msgpack::Value head;
  bool right_kind = msgpack::Cursor(value).next(head) && (!kind || head.kind == *kind);
  if (!right_kind || !in.skip() || !in.at_end())
    return fail(Code::kBadRequest, fmt::format("{} must be exactly one MessagePack {}", what, kind ? "map" : "value"));
  return {};
}

}  // namespace holdfast::client
