// Core: what a client's handles share: the host, the options, the connections, and the one place that decides what is
// sent again.
#pragma once

#include <memory>
#include <vector>

#include "client/client.h"
#include "client/link.h"
#include "client/numbers.h"
#include "io/base/random.h"

namespace holdfast::client {

class Core {
 public:
  Core(io::Host& host, Options options);

  /// What the server's `not_found` becomes.
  enum class Absent : uint8_t { kIsAnError, kIsEmpty };
  io::Task<Result<Answer<Buffer>>> call(Call call, Absent absent = Absent::kIsAnError);
  io::Task<void> close();
  std::string generate_id();
  /// Of the host.
  void entropy(MutableBytes out) { host_.random.entropy(out); }

  const Options& options() const { return options_; }

 private:
  io::Task<Result<Numbers::Number>> take_number(Time deadline);
  io::Task<Result<>> open_session(Time deadline);
  /// `lost`: whether some attempt was sent and never answered. Of a commit that may be so from the start, in a session that is gone.
  io::Task<Result<Answer<Buffer>>> exchange(const Call& call, Absent absent, Numbers::Number number, Time deadline, bool& lost);
  io::Task<void> close_session();
  Link& pick();
  Duration backoff(int attempt);

  io::Host& host_;
  Options options_;
  std::vector<std::shared_ptr<Link>> links_;
  Numbers numbers_;
  io::Semaphore opening_{1};     ///< of a session
  uint64_t failed_openings_ = 0;
  Error opening_error_{};        ///< of the last that failed
  bool has_no_sessions_ = false; ///< the server
  Rng jitter_;
  Buffer entropy_;  ///< unused bytes of the last draw
};

/// What the client says of itself: the args of a hello.
Buffer hello_args(const Options& options);

/// Checks that `value` is exactly one MessagePack value, of that kind; what follows in a request would else be read as
/// something else.
Result<> check_value(std::string_view what, Bytes value, std::optional<msgpack::Kind> kind = std::nullopt);

}  // namespace holdfast::client
