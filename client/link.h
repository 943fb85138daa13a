// Link: one of a client's connections, with many requests under way.
//
// A link is down, connecting, up or ending. It connects when a request needs it, and when its connection breaks,
// everything under way on it is settled: what was handed to the network is kLost, what was not is kNotSent. It never
// sends anything again by itself; that is the caller's decision (client.cc).
//
// Invariant: a request is settled exactly once. kNotSent and kRefused are said only when the server cannot have
// executed it.
//
// Belongs to one core. Shared with the tasks that read and write it, so it lives until they have ended.
#pragma once

#include <map>
#include <memory>

#include "io/base/ids.h"
#include "io/host.h"
#include "io/sync.h"
#include "io/wire/frame.h"
#include "io/wire/reply.h"
#include "io/wire/request.h"
#include "io/wire/sealed_frames.h"

namespace holdfast::client {

class Login;

struct LinkOptions {
  io::Endpoint server;
  size_t max_in_flight;
  size_t max_unsent_bytes;
  Duration connect_timeout;
  Buffer hello;  ///< args of a hello that goes first on every connection: the server then knows that ids are matched
  Duration patience;  ///< silence after which a connection is given up when a request on it times out
  std::shared_ptr<Login> login;  ///< null: plaintext
};

/// What became of one request on one connection.
struct Outcome {
  enum class Kind : uint8_t {
    kAnswered,  ///< `error` or `result` is the server's
    kNotSent,   ///< not one byte of it left; `error` says why
    kRefused,   ///< the server turned the connection away; `error` says why
    kLost,      ///< sent, and the connection broke or the deadline passed; `error` says which
  };
  Kind kind = Kind::kLost;
  std::optional<Error> error;
  Buffer result;
  Lsn lsn;
  Lsn durable_lsn;
};

class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(io::Host& host, LinkOptions options) : host_(host), options_(std::move(options)) {}

  /// Sends one request, connecting first if need be, and waits for its answer until the deadline.
  io::Task<Outcome> request(wire::RequestWriter::Head head, Bytes args, Time deadline);

  /// Requests waiting here or under way; what the choice among links goes by.
  size_t load() const { return load_; }
  bool is_up() const { return state_ == State::kUp; }

  /// Ends the connection and refuses all further use.
  void close();
  /// Returns once its tasks have ended.
  io::Task<void> ended();

 private:
  enum class State : uint8_t { kDown, kConnecting, kUp, kEnding };
  struct Pending {
    bool sent = false;  ///< handed to the network, if only in part
    Outcome outcome;
    io::Event settled;
  };

  io::Task<Result<>> connect(Time deadline);
  io::Task<Result<>> room(Time deadline);
  void begin_life(Time now);
  std::unexpected<Error> dial_failed(Error error);

  // link_handshake.cc
  struct Watch {
    io::Event over;
    io::Event ended;
  };
  static constexpr size_t kRefusalBytesMax = 16 << 10;
  static io::Task<void> close_at(std::shared_ptr<Link> self, Time deadline, Watch& watch);
  io::Task<Result<>> shake_hands(Time deadline);
  io::Task<Result<>> exchange_keys();
  io::Task<Result<>> refused(Buffer begun);

  void seal_from(size_t start) {
    if (seals_) seals_->sealer.seal(unsent_, start);
  }
  void greet();
  Result<std::shared_ptr<Pending>> enqueue(wire::RequestWriter::Head head, Bytes args, Time now, uint64_t& id);
  void forget(uint64_t id, Pending& pending, Time now);

  static io::Task<void> run(std::shared_ptr<Link> self);
  static io::Task<void> write_loop(std::shared_ptr<Link> self);
  io::Task<Error> read_loop();
  std::optional<Error> take_replies();
  void settle(Pending& pending, const wire::Reply& reply);
  void settle_all(const Error& why);
  void break_off();

  io::Host& host_;
  LinkOptions options_;
  State state_ = State::kDown;
  bool closed_ = false;
  size_t load_ = 0;
  uint64_t failed_dials_ = 0;
  Error dial_error_;
  io::WaitList changed_;  ///< state_ changed
  io::WaitList freed_;    ///< room for another request

  // One connection's life.
  std::unique_ptr<io::Connection> connection_;
  wire::FrameReader reader_{wire::kMaxReplySize};
  struct Seals {
    wire::FrameSealer sealer;
    wire::FrameOpener opener;
  };
  std::optional<Seals> seals_;
  std::map<uint64_t, std::shared_ptr<Pending>> pending_;  ///< by request id
  uint64_t next_id_ = 1;
  Buffer unsent_;
  std::vector<std::shared_ptr<Pending>> queue_;  ///< whose bytes unsent_ holds
  Buffer sending_;
  io::WaitList work_;  ///< unsent_ is not empty, or the connection ends
  bool writer_ended_ = true;
  Time last_received_;
  Time busy_since_;               ///< when something was last asked while nothing else was under way
  bool answered_ = false;         ///< some reply came on this connection
  std::optional<Error> refusal_;  ///< the server turned this connection away
};

}  // namespace holdfast::client
