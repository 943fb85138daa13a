#include "client/cli/login.h"

#include "client/cli/known_servers.h"
#include "io/real/secrets.h"

namespace holdfast::cli {
namespace {

constexpr const char* kPasswordVariable = "HOLDFAST_PASSWORD";
constexpr const char* kNewPasswordVariable = "HOLDFAST_NEW_PASSWORD";

/// From the file, else from the environment; nothing when neither has it.
Result<std::optional<Buffer>> given(const std::string& file, std::optional<Buffer> variable) {
  if (file.empty()) return variable;
  HF_TRY(line, real::read_secret_file(file));
  return std::optional(std::move(line));
}

Result<wire::SecretText> new_password(const std::string& file, std::optional<Buffer> variable,
                                      const std::string& user) {
  HF_TRY(known, given(file, std::move(variable)));
  if (known) return wire::SecretText(std::move(*known));
  HF_TRY(first, real::ask_secret("New password of " + user + ": "));
  wire::SecretText wanted(std::move(first));
  HF_TRY(second, real::ask_secret("The same again: "));
  wire::SecretText again(std::move(second));
  if (!wire::equal(wanted, again)) return fail(Code::kBadRequest, "the two passwords differ; nothing was changed");
  return again;
}

}  // namespace

Result<> fill_in_login(CommandLine& line) {
  std::optional<Buffer> password = real::take_secret_variable(kPasswordVariable);
  std::optional<Buffer> next = real::take_secret_variable(kNewPasswordVariable);
  bool sets = line.command == Command::kUserAdd || line.command == Command::kUserPasswd;
  if (!line.user.empty() || sets) real::hide_memory();
  if (!line.user.empty()) {
    HF_TRY(known, given(line.password_file, std::move(password)));
    if (!known) {
      HF_TRY(typed, real::ask_secret("Password of " + line.user + ": "));
      known = std::move(typed);
    }
    client::LoginOptions login{
        .user = line.user, .password = wire::SecretText(std::move(*known)), .server_key = line.server_key, .trust = {}};
    if (!line.server_key)
      login.trust = [servers = KnownServers(line.known_servers), server = line.client.server.text()](
                        const wire::Public& key) { return servers.check(server, key); };
    line.client.login = std::move(login);
  }
  if (sets) {
    HF_TRY(chosen, new_password(line.new_password_file, std::move(next), line.id));
    line.new_password = std::move(chosen);
  }
  return {};
}

}  // namespace holdfast::cli
