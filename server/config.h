// Config: everything that a server is told. Plain data: main() fills it from flags, the simulator draws it from a seed.
#pragma once

#include <string>
#include <vector>

#include "core/engine.h"
#include "io/network.h"
#include "io/wire/frame.h"
#include "io/wire/handshake.h"

namespace holdfast::server {

/// Bounds of what clients can make the server hold. README.md says what happens at each.
struct Limits {
  uint32_t connections = 10'000;
  uint32_t requests_per_connection = 1024;  ///< under way at once
  uint64_t bytes_in_flight =
      uint64_t{1} << 30;  ///< requests and unsent replies of all cores together; half of it is for large frames
  uint64_t answer_bytes =
      uint64_t{1} << 30;  ///< answers of documents in the making, and until they have left; all cores together
  uint64_t first_answer = 128 << 10;             ///< documents for which a find has room at first; for more it begins again
  uint64_t output_per_connection = 256 << 10;    ///< unsent reply bytes at which no further request is started
  size_t request_bytes = wire::kMaxRequestSize;  ///< payload of one frame
  size_t stranger_bytes = 64 << 10;              ///< the same before a login, where one is required
  size_t large_frame = 16 << 10;                 ///< frames above this reserve their room before they are read
  uint32_t batch_requests = 10'000;              ///< requests within one batch
  uint32_t starts_per_turn = 64;                 ///< requests that one connection starts before others get their turn
  uint64_t export_part_bytes = 1 << 20;          ///< of one page of a stream or export, when the client does not say
  uint64_t export_part_bytes_max = 8 << 20;
  Duration patience = seconds(60);           ///< for a frame to arrive whole, or a peer to take what was written
  Duration patience_when_full = seconds(5);  ///< the same while requests wait for room
  Duration late_reply = seconds(14);         ///< see Session; 0: never
  Duration repeat_window = seconds(60);      ///< how long inserts of broken connections are remembered …
  uint32_t repeats = 16'384;                 ///< … and how many
  Duration sweep = seconds(1);               ///< how often the bounds in time are looked at
  Duration linger = seconds(2);              ///< for a refused peer to read why
  uint32_t lingering = 64;  ///< refused connections that may linger at once; further ones are closed unanswered
  uint32_t handshakes = 256;                 ///< under way at once on one core; for a further one the first is closed
  Duration handshake_time = seconds(10);     ///< for one to end
  Duration failed_login_delay = seconds(1);  ///< before who failed to log in is told so
  Duration stop_grace = seconds(5);  ///< for requests under way and their replies when the server stops

  /// What a find takes room for at first.
  uint64_t first_room() const { return core::bounds_for(first_answer).room(); }
};

/// Who may log in besides the stored users, and how.
struct LoginConfig {
  std::string username;       ///< --username; empty: none
  wire::SecretText password;  ///< of that user
  bool required = false;      ///< without any user the server does not start: other machines can reach it
  wire::PasswordCost cost;    ///< of passwords that this server hashes, and of those of users that are not
  uint8_t ciphers = wire::usual_ciphers(wire::aes_unit());  ///< that it agrees to
};

struct Config {
  core::EngineOptions engine{.data_path = "./holdfast-data"};
  io::Endpoint listen{"localhost", 6900};
  std::string default_database = "default";  ///< of requests that name none
  std::vector<std::string> load_databases;   ///< looked for at the start; what is missing is logged
  Limits limits;
  LoginConfig login;
};

}  // namespace holdfast::server
