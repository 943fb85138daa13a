// Sessions: which numbered requests of which clients have happened, and how they came out; so that a request that is sent again is not executed again.
//
// Place in the system: one table per engine core, of the sessions whose shard is there (session_shard). The committed state changes by effects of the log alone, in
// LSN order, so it is the same after every recovery; checkpoints write it into the MANIFEST. Beside it the core knows which requests are under way.
//
// A client opens a session, numbers its requests 1, 2, 3 ... within it, and says with each up to which number it has had all answers. The outcome of a request
// that changes something is an effect of the very entry that changes it: both are there or none. What changes nothing leaves no trace, and may be executed again.
//
// An attempt that was overtaken, by a later one or by its own answer, is never executed: it may have lain in some buffer until somebody else was told that nothing
// had happened. What is known of attempts is in memory alone, for they do not outlive the server.
//
// Bounds. A session remembers what its client has no answer to, at most kMaxSessionBytes; older outcomes are forgotten: whether such a request has happened is
// unknown from then on, and it is never executed. A shard has so many sessions and bytes: a new session takes the place of the one that was used longest ago, and
// when bytes run out, that one's outcomes are forgotten. Of requests that were sent again so many on a core are remembered with the attempts that have come; what is
// forgotten is not executed when it comes again. Times are those that effects carry: nothing here depends on a clock.
//
// Pure, but for the waiting.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "core/entry.h"
#include "io/base/time.h"
#include "io/sync.h"

namespace holdfast::core {

/// Which request of which session a request is.
struct Numbered {
  uint64_t session = 0;   ///< 0: it has no number
  uint64_t number = 0;    ///< from 1
  uint64_t answered = 0;  ///< the client has had the answers to all through this one
  uint64_t attempt = 1;   ///< rises each time the client sends it again
  uint64_t asked = 0;     ///< a hash of what is asked for, not 0; 0: that does not matter
  bool any() const { return session != 0; }
};

/// How a request came out that changed something.
struct SessionOutcome {
  Lsn lsn;
  bool kept = true;    ///< false: the result was too large to be kept
  uint64_t asked = 0;  ///< a hash of what had been asked for; 0: not known
  Buffer result;       ///< as whoever made it encodes it
  bool operator==(const SessionOutcome&) const = default;
};

/// A session as it stands in the MANIFEST.
struct SessionState {
  uint64_t id = 0;
  int64_t used_ns = 0;      ///< wall time of the newest effect
  uint64_t floor = 0;       ///< what has a number up to here is forgotten
  bool damaged = false;     ///< an outcome was durable and cannot be read any more
  std::map<uint64_t, SessionOutcome> outcomes;  ///< by number, all above `floor`
  bool operator==(const SessionState&) const = default;
};

/// How an outcome is written: a byte of these flags; what was asked for u64, where it is known.
enum OutcomeFlags : uint8_t { kResultKept = 1, kAskedKnown = 2 };
inline uint8_t flags_of(bool kept, uint64_t asked) { return static_cast<uint8_t>((kept ? kResultKept : 0) | (asked != 0 ? kAskedKnown : 0)); }

inline constexpr size_t kMaxOutcomeBytes = 8 << 10;   ///< of one result; larger ones are not kept
inline constexpr size_t kOutcomeOverhead = 64;        ///< what an outcome counts besides its result
inline constexpr size_t kMaxSessionBytes = 64 << 10;  ///< so 1,024 outcomes with small results

struct SessionLimits {
  uint32_t sessions_per_shard = 400;
  uint64_t bytes_per_shard = 512 << 10;
  size_t attempts = size_t{1} << 17;  ///< requests sent again of which a core remembers the attempts: the newest
};
/// What a server's bounds make of it; each shard has its part.
SessionLimits session_limits(uint32_t sessions, uint64_t bytes, uint16_t shard_count);
inline constexpr Duration kSessionLife = seconds(24 * 3600);  ///< one that was not used for so long may be closed

inline ShardId session_shard(uint64_t session, uint16_t shard_count) { return ShardId(static_cast<uint16_t>(session % shard_count)); }

// The effects (kSession); what they consist of is in FORMAT.md. The body lives as long as `body`.
uint64_t session_of(const Effect& effect);
Effect open_effect(uint64_t session, WallTime now, uint16_t shard_count, Buffer& body);
Effect close_effect(uint64_t session, uint16_t shard_count, Buffer& body);
Effect outcome_effect(const Numbered& request, Bytes result, WallTime now, uint16_t shard_count, Buffer& body);

class SessionTable {
 public:
  SessionTable(SessionLimits limits, uint16_t shard_count) : limits_(limits), shard_count_(shard_count) {}

  /// kCorrupt: no such effect.
  Result<> apply(Lsn lsn, Bytes body);
  /// An outcome of that session was durable and is lost: nothing is known for sure any more.
  void damage(uint64_t session);
  void adopt(SessionState state);
  /// All, by id.
  std::vector<SessionState> list() const;
  size_t size() const { return sessions_.size(); }
  const SessionState* find(uint64_t session) const;
  /// Up to `most` that were not used since.
  std::vector<uint64_t> unused_since(WallTime time, size_t most) const;

  /// What is to be done with a request: nothing, and execute() it; or that outcome; or an error. Waits while the same request is under way.
  /// Errors: kBadRequest: also for a number that something else was asked for with; kSessionUnknown: there is no such session; kUnknownOutcome: it is forgotten.
  io::Task<Result<std::optional<SessionOutcome>>> begin(Numbered request);
  /// Ends what begin() began, once what the request has posted is applied here.
  void end(const Numbered& request);
  /// What is known of a request, which is never executed for that. Nothing: it has not happened so far.
  io::Task<Result<std::optional<SessionOutcome>>> ask(Numbered request);

 private:
  using Request = std::pair<uint64_t, uint64_t>;
  struct Session {
    SessionState state;
    size_t bytes = 0;
    // In memory alone.
    uint64_t answered = 0;                 ///< the highest that any request has said
    std::map<uint64_t, uint64_t> attempts; ///< of requests above it that were sent again, the highest that has come
  };
  Result<std::optional<SessionOutcome>> look(const Numbered& request) const;
  Result<> note_attempt(const Numbered& request);
  void remember_attempts(Request request);
  static void forget_attempts(Session& s, uint64_t through);
  void touch(Session& s, int64_t now_ns);
  void erase(uint64_t session);
  void forget_through(Session& s, uint64_t number);
  void make_room(ShardId shard);
  void save_bytes(ShardId shard);
  void count_bytes(Session& s, ptrdiff_t change);

  struct ShardUse {
    uint32_t sessions = 0;
    size_t bytes = 0;
  };
  SessionLimits limits_;
  uint16_t shard_count_;
  std::map<uint64_t, Session> sessions_;
  std::set<std::tuple<ShardId, int64_t, uint64_t>> by_use_;  ///< shard, when used, id
  std::map<ShardId, ShardUse> per_shard_;
  std::map<Request, std::unique_ptr<io::WaitList>> under_way_;
  std::deque<Request> sent_again_;  ///< in the order of their second attempts; some are forgotten already
};

}  // namespace holdfast::core
