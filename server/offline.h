// The commands of holdfastd that work on a directory while no server runs: verify, repair, and user.
#pragma once

#include <optional>
#include <string>

#include "io/host.h"
#include "server/flags.h"

namespace holdfast::server {

struct OfflineResult {
  bool sound = false;                  ///< nothing is damaged, or not any more
  std::string text;                    ///< for standard output: findings, one a line, then a line of figures
  std::optional<std::string> refused;  ///< why nothing could be said or done
  Code why = Code::kInternal;          ///< the same as a code
};

/// Requires: options.command is one of them; config.login.password is there when options.needs_password().
io::Task<OfflineResult> run_offline(io::Host& host, const Options& options);

}  // namespace holdfast::server
