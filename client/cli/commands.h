// What each command of `holdfast` does.
#pragma once

#include "client/cli/options.h"
#include "io/host.h"

namespace holdfast::cli {

/// Runs the command against the server and returns the exit code. Everything worth saying has then been said on the
/// standard streams.
io::Task<int> run_command(io::Host& host, CommandLine line);

}  // namespace holdfast::cli
