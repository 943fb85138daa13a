// The command line of `holdfast`: flags and operands, checked.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "client/client.h"

namespace holdfast::cli {

enum class Command : uint8_t {
  kPing,
  kInsert,
  kGet,
  kFind,
  kUpdate,
  kUpsert,
  kDelete,
  kCount,
  kImport,
  kExport,
  kStats,
  kVerify,
  kUserAdd,
  kUserRemove,
  kUserPasswd,
  kUserList
};

struct CommandLine {
  client::Options client;
  Command command = Command::kPing;
  std::string collection;
  std::string id;        ///< get; of the user commands, the user's name
  std::string document;  ///< insert: JSON, or "-"
  std::string query;     ///< find, count, update, delete: JSON
  std::string update;
  std::string array_filters;  ///< update: JSON
  std::string file = "-";  ///< import, export
  std::optional<uint64_t> limit;
  uint64_t skip = 0;
  std::string sort;
  std::string projection;
  bool many = false;        ///< update, delete: all that match
  bool keep_going = false;
  uint64_t sort_memory = uint64_t{64} << 20;
  uint64_t bytes_per_second = uint64_t{64} << 20;  ///< verify
  std::string user;                                ///< as whom; empty: nobody, in plaintext
  std::string password_file;
  std::string known_servers;
  std::optional<wire::Public> server_key;
  wire::Role role = wire::Role::kReadWrite;  ///< user add
  std::string new_password_file;
  wire::SecretText new_password;  ///< filled in by fill_in_login(), as is client.login
};

/// What main() does: go on with this, or leave with that exit code because everything was said (help, version, a usage
/// error).
std::variant<CommandLine, int> parse_command_line(int argc, char** argv);

/// "15s", "500ms", "2m"; nothing for anything else, and for zero.
std::optional<Duration> parse_duration(std::string_view text);
/// "host:port", "host" (port 6900) or ":port" (localhost).
std::optional<io::Endpoint> parse_endpoint(std::string_view text);

}  // namespace holdfast::cli
