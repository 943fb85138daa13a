#include "chaos/suite/guarded.h"

#include "server/offline.h"
#include "server/users_file.h"

namespace holdfast::chaos {

void Guarded::configure(Settings& settings, server::Config& config) {
  config.login.cost = wire::kLeastCost;
  config.login.ciphers = static_cast<uint8_t>(settings.between("server.cipher", 1, 2));
  config.limits.failed_login_delay =
      milliseconds(static_cast<int64_t>(settings.between("server.login-delay-ms", 1, 1000)));
}

io::Task<Result<>> Guarded::add_users(io::Host& host, const server::Config& config) {
  for (auto [user, password, role] :
       {std::tuple("writer", "may write", wire::Role::kReadWrite), {"reader", "may read", wire::Role::kReadOnly}}) {
    HF_CO_TRY(found, co_await server::find_users(host.disk, config.engine.data_path));
    if (found.users && found.users->look_up(user)) continue;
    server::Options add{.command = server::Command::kUser,
                        .user_command = server::UserCommand::kAdd,
                        .user = user,
                        .role = role,
                        .config = config};
    add.config.login.password = wire::SecretText(password);
    server::OfflineResult done = co_await server::run_offline(host, add);
    if (done.refused) co_return fail(done.why, *done.refused);
  }
  co_return Result<>();
}

client::LoginOptions Guarded::login(const char* user, const char* password) {
  return {.user = user,
          .password = wire::SecretText(password),
          .server_key = std::nullopt,
          .trust =
              [this](const wire::Public& key) {
                if (met_ && *met_ != key) ledger_.violation("the server has another key than its clients know");
                met_ = key;
                return Result<>();
              },
          .least = wire::kLeastCost,
          .most = wire::kLeastCost,
          .ciphers = 3};
}

}  // namespace holdfast::chaos
