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
  kUser,  ///< users of config.engine.data_path
};

/// What of the stored users `holdfastd user` changes.
enum class UserCommand : uint8_t { kAdd, kRemove, kPasswd, kList };

struct Options {
  Command command = Command::kServe;
  bool accept_loss = false;  ///< kRepair
  UserCommand user_command = UserCommand::kList;
  std::string user;                          ///< kUser
  wire::Role role = wire::Role::kReadWrite;  ///< UserCommand::kAdd
  std::optional<std::string> password_file;  ///< whoever has the files fills in config.login.password from it
  Config config;
  uint16_t cores = 1;
  bool debug = false;

  /// Whether config.login.password is to be known before anything begins.
  bool needs_password() const {
    if (command == Command::kUser) return user_command == UserCommand::kAdd || user_command == UserCommand::kPasswd;
    return command == Command::kServe && !config.login.username.empty();
  }
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
