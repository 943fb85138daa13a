// Host: everything outside the process that a server may touch. main() passes the production host (io/real), the
// simulator its own; nothing reaches around it.
#pragma once

#include "io/clock.h"
#include "io/cores.h"
#include "io/disk.h"
#include "io/log.h"
#include "io/network.h"
#include "io/random.h"

namespace holdfast::io {

struct Host {
  Clock& clock;
  Disk& disk;
  Network& network;
  Random& random;
  Cores& cores;
  LogSink& log;
};

}  // namespace holdfast::io
