// ServerCore: what the sessions of one core share. Everything in it belongs to that core; the others are reached by
// messages.
#pragma once

#include "io/host.h"
#include "server/budget.h"
#include "server/config.h"
#include "server/logins.h"
#include "server/metrics.h"
#include "server/repeats.h"

namespace holdfast::server {

/// Text buffers that go round, so that requests and replies allocate nothing.
class BufferPool {
 public:
  Buffer take() {
    if (spare_.empty()) {
      Buffer fresh;
      fresh.reserve(kUsual);
      return fresh;
    }
    Buffer b = std::move(spare_.back());
    spare_.pop_back();
    return b;
  }
  void give(Buffer b) {
    if (b.capacity() < kUsual || b.capacity() > kLargestKept || spare_.size() >= kKept) return;
    b.clear();
    spare_.push_back(std::move(b));
  }

 private:
  static constexpr size_t kUsual = 1024;
  static constexpr size_t kLargestKept = 16 << 10;
  static constexpr size_t kKept = 512;
  std::vector<Buffer> spare_;
};

/// What does not change while a server runs; all cores read it.
struct ServerFacts {
  io::Host& host;
  const Config config;
  core::Engine& engine;
  Time started;
  core::SyncMode mode = core::SyncMode::kSync;
  uint64_t server_id = 0;
  Logins logins = {};       ///< as they were at the start
  uint64_t users_file = 0;  ///< the number of the newest then
};

class Session;

/// A session's place among the handshakes of its core.
struct HandshakePlace : io::ListNode {
  explicit HandshakePlace(Session& s) : session(s) {}
  Session& session;
};

class ServerCore {
 public:
  ServerCore(const ServerFacts& facts, CoreId id, std::vector<std::unique_ptr<ServerCore>>& all);

  const ServerFacts& facts() const { return facts_; }
  const Config& config() const { return facts_.config; }
  const Limits& limits() const { return facts_.config.limits; }
  core::Engine& engine() const { return facts_.engine; }
  io::Executor& executor() { return executor_; }
  CoreId id() const { return id_; }
  void log(io::Level level, std::string_view line) { facts_.host.log.log(level, line); }

  /// Serves `connection` until it ends.
  void serve(std::unique_ptr<io::Connection> connection);
  /// Tells a connection beyond the limit why it is closed.
  void refuse(std::unique_ptr<io::Connection> connection);

  /// Runs the bounds in time until stop().
  void start();
  /// Lets requests under way end and their replies leave, for `stop_grace` at most; then closes what is left and waits
  /// as long again. False when requests still run.
  io::Task<bool> stop();
  /// For a round over all cores, whose messages have then arrived.
  io::Task<bool> nothing() { co_return true; }
  /// Ends the patience of a stop() under way, or of the next.
  void hurry();
  bool stopping() const { return stopping_; }

  // Inserts of broken connections (see RepeatTable), told to core 0 in the order of these calls.

  /// One that has inserted; its answer may not have been read.
  void insert_broke(Hash128 fingerprint);
  /// One that is under way, and how it ended. Returns the number to end it by.
  uint64_t insert_broke_under_way(Hash128 fingerprint);
  void insert_ended(uint64_t insert, bool inserted);
  /// Whether an insert that was refused as a duplicate is the repeat of such a one. True at most once for each. Requires
  /// that its own connection has not broken yet: of two that wait, the later waits for the earlier.
  io::Task<bool> may_repeat(Hash128 fingerprint);
  /// Changes the stored users: the file first, then every core's copy; then the connections of who was removed or
  /// changed end. Errors: those of apply() and write_users().
  io::Task<Result<>> change_users(UserChange change);
  /// Somebody failed to log in: counted, and logged, at most every ten seconds.
  void login_failed(std::string_view user, std::string_view peer, const Error& why);

  // Handshakes under way (Limits::handshakes). Who ends one unlinks its place.

  /// Always finds a place: when all are taken, the session whose handshake began first is closed for it. So whoever
  /// completes one while fewer than that begin gets in, however many half-open ones there are.
  void handshake_begins(HandshakePlace& place);
  /// One that has failed, but whose peer is told so only later, gives way before all that may still succeed.
  void handshake_fails(HandshakePlace& place) { failed_handshakes_.push_back(place); }

  /// What all cores have counted.
  io::Task<Metrics> total_metrics();
  Metrics metrics_now() const;
  /// Of all budgets.
  uint64_t bytes_held() const { return requests.used() + writes.used() + large_frames.used() + answers.used() + large_answers.used(); }

  Budget requests;      ///< requests that change nothing, and replies not sent yet that have no room of their own
  Budget writes;        ///< requests that may change something, and so may have to wait for the disk
  Budget large_frames;  ///< frames above Limits::large_frame, from the announcement of their length to the end of their
                        ///< request
  Budget answers;        ///< of documents, from before they are looked for until they have been sent
  Budget large_answers;  ///< the same of those that `answers` are too small for
  BufferPool buffers;
  RepeatTable repeats;  ///< that of core 0 is the server's
  Metrics metrics;
  Logins logins;                  ///< this core's copy
  bool notes_handshakes = true;   ///< a handshake that cannot be is logged once
  uint32_t open_connections = 0;  ///< of the whole server; kept on core 0

 private:
  io::Task<void> run_session(std::unique_ptr<io::Connection> connection);
  io::Task<void> run_refusal(std::unique_ptr<io::Connection> connection);
  static io::Task<void> tell(io::Connection& connection, Bytes text, io::Event& told);
  void count_down();
  io::Task<Result<>> change_users_here(UserChange change);
  io::Task<bool> adopt_users(Users users, std::string changed);
  io::Task<void> watch();
  io::Task<bool> ended_by(Time deadline);
  bool is_waited_for() const;
  void warn_when_full();
  template <class F>
  void on_core_0(F f);
  io::Task<void> answer_repeat(Hash128 fingerprint, uint64_t broke_before, CoreId asker, io::OneShot<bool>& answer);
  void task_ended();
  template <class F>
  void each_session(F f);

  const ServerFacts& facts_;
  const CoreId id_;
  io::Executor& executor_;
  std::vector<std::unique_ptr<ServerCore>>& all_;
  io::IntrusiveList sessions_;
  io::IntrusiveList handshakes_;         ///< places, in the order in which they began …
  io::IntrusiveList failed_handshakes_;  ///< … and in which they failed
  uint32_t refusals_ = 0;
  size_t running_ = 0;    ///< tasks: sessions, refusals, the watch
  io::WaitList changed_;  ///< a task has ended, or somebody is in a hurry
  uint64_t broken_inserts_ = 0;
  io::WaitList insert_ended_;  ///< core 0: of those whose connection broke
  io::Event stopped_;
  io::Semaphore changing_users_{1};  ///< core 0, as is what follows
  uint64_t users_file_ = 0;          ///< the number of the newest
  Time login_failure_told_ = {INT64_MIN / 2};
  uint64_t login_failures_untold_ = 0;
  bool stopping_ = false;
  bool hurried_ = false;
  bool warned_ = false;
};

}  // namespace holdfast::server
