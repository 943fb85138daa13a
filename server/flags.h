// Flags: the command line of holdfastd, as a Config. Pure but for the parser's own tables.
#pragma once

#include <span>

#include "server/config.h"

namespace holdfast::server {

/// What the process is to do.
enum class Command : uint8_t {
  kServe,
  kVerify,  ///< offline.h, on config.engine.data_path
  kRepair,
};

struct Options {
  Command command = Command::kServe;
  bool accept_loss = false;  ///< kRepair
  Config config;
  uint16_t cores = 1;
  bool debug = false;
  std::optional<std::string> record_disk;  ///< for tests: record every operation of the disk in this new file
  std::vector<std::string> mutants;        ///< for tests: planted bugs that are on; only in the build that has them
};

/// Either options to run with, or something to say and an exit code to end with.
struct Flags {
  std::optional<Options> options;
  int exit_code = 0;
  std::string output;  ///< for standard output: --help, --version
  std::string errors;  ///< for standard error
};

inline constexpr int kExitUsage = 2;

/// `arguments` without the program's name.
Flags parse_flags(std::span<const char* const> arguments);

/// `[HOST:]PORT`; without a host, localhost.
Result<io::Endpoint> parse_endpoint(std::string_view text);
/// Whether only this machine can reach it. Of names only localhost counts: nobody can tell what others mean tomorrow.
bool is_loopback(const io::Endpoint& endpoint);

}  // namespace holdfast::server
