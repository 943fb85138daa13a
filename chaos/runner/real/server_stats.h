// What a real server says of itself, as far as the suites need it.
#pragma once

#include "client/client.h"

namespace holdfast::chaos {

struct ServerStats {
  Lsn lsn;  ///< committed through here
  Lsn checkpoint;
  uint64_t checkpoints = 0;
};

/// Over a connection of its own.
io::Task<Result<ServerStats>> ask_stats(io::Host& host, uint16_t port);

}  // namespace holdfast::chaos
