#include "client/core.h"

#include <fmt/core.h>

#include "client/login.h"

#include "io/base/assert.h"
#include "io/base/probe.h"

namespace holdfast::client {
namespace {

/// A repeat of an insert is recognised by the server for 60 seconds.
constexpr Duration kRepeatWindow = seconds(50);

bool may_resend(const Call& call, Duration since_first) {
  if (MUTANT("client-sends-a-lost-write-again")) return true;
  if (call.resend == Resend::kNever) return false;
  if (call.resend == Resend::kAlways)
    return wire::info(call.op)->effect != wire::Effect::kWrites || since_first < kRepeatWindow;
  const wire::OpInfo* info = wire::info(call.op);
  return info && info->effect != wire::Effect::kWrites;
}

bool changes_nothing(const Call& call) {
  const wire::OpInfo* info = wire::info(call.op);
  return info && info->effect == wire::Effect::kReads;
}

/// Errors that say "not executed, try later".
bool is_temporary(Code code) { return code == Code::kOverloaded || code == Code::kShuttingDown; }
/// Errors after which the server itself does not know.
bool is_uncertain(Code code) {
  return code == Code::kInternal || code == Code::kTimeout || code == Code::kUnknownOutcome;
}

std::unexpected<Error> unknown_outcome(const Call& call, std::string_view why) {
  if (MUTANT("unknown-outcome-reported-as-failure")) return fail(Code::kUnreachable, "the connection broke");
  return fail(Code::kUnknownOutcome,
              fmt::format("{} may or may not have happened: {}; read before trying again", wire::name(call.op), why));
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

io::Task<Result<Answer<Buffer>>> Core::call(Call call, Absent absent) {
  io::Executor& here = co_await io::this_executor();
  if (!call.args.empty()) HF_CO_CHECK_OK(check_value("args", call.args));
  const Time begin = here.now();
  const Time deadline = begin + options_.timeout;
  const std::string database = call.database.empty() ? options_.database : call.database;
  const Bytes args = call.args.empty() ? Bytes("\x80") : Bytes(call.args);
  bool lost = false;  // some attempt was sent and never answered
  Time first_sent;

  for (int attempt = 1;; ++attempt) {
    Time asked = here.now();
    Outcome out =
        co_await pick().request({.op = call.op, .database = database, .collection = call.collection}, args, deadline);
    if (out.kind == Outcome::Kind::kAnswered && !out.error)
      co_return Answer<Buffer>{{out.lsn, out.durable_lsn}, std::move(out.result)};

    Error error = std::move(*out.error);
    bool answered = out.kind == Outcome::Kind::kAnswered;
    if (answered && error.code == Code::kNotFound && absent == Absent::kIsEmpty)
      co_return Answer<Buffer>{{out.lsn, out.durable_lsn}, {}};
    bool again = !answered || is_temporary(error.code);
    if (out.kind == Outcome::Kind::kLost || (answered && is_uncertain(error.code))) {
      if (!lost) first_sent = asked;
      lost = true;
    }
    // Once one attempt's fate is unknown, an error speaks for the later attempt alone: it cannot say that nothing
    // happened.
    if (lost && !changes_nothing(call) && !may_resend(call, here.now() - first_sent))
      co_return unknown_outcome(call, error.message);
    again = again && error.code != Code::kClosed && error.code != Code::kAuth && attempt < options_.max_attempts;
    Time resume = here.now() + backoff(attempt);
    if (again && resume < deadline) {
      SOMETIMES(lost, "client-sends-again-what-it-lost");
      co_await io::sleep_until(resume);
      continue;
    }
    if (lost && !changes_nothing(call)) co_return unknown_outcome(call, error.message);
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

io::Task<void> Core::close() {
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
