// Apart from server.cc, so that tests can serve from another engine without linking this one.
#include "server/server.h"

#include <fmt/format.h>

namespace holdfast::server {

namespace {

Result<> check_required(const Config& config, const FoundUsers& found) {
  if (!config.login.required || !config.login.username.empty() || (found.users && found.users->guarded())) return {};
  return fail(Code::kAuth, fmt::format("--port {}: other machines can reach this address, and there are no users. Add "
                                       "one first: holdfastd user add NAME --data-path {}; "
                                       "or give --username and --password-file; or listen on localhost; or say "
                                       "--insecure when the network keeps strangers out",
                                       config.listen.text(), config.engine.data_path));
}

}  // namespace

io::Task<Result<std::unique_ptr<Server>>> Server::open(io::Host& host, Config config) {
  const std::string& path = config.engine.data_path;
  // A look before anything is made; once the directory is ours, another.
  HF_CO_TRY(first, co_await find_users(host.disk, path));
  HF_CO_CHECK_OK(check_required(config, first));
  HF_CO_TRY(engine, co_await core::Engine::open(host, config.engine));
  Result<FoundUsers> found = co_await find_users(host.disk, path);
  Result<> fit = found ? check_required(config, *found) : Result<>(holdfast::fail(found));
  if (fit) fit = co_await settle_users(host.disk, path, *found);
  if (!fit) {
    (void)co_await engine->stop();
    co_return holdfast::fail(std::move(fit));
  }
  co_return around(std::move(engine), host, std::move(config), std::move(*found));
}

io::Task<Result<std::unique_ptr<Server>>> Server::start(io::Host& host, Config config) {
  HF_CO_TRY(server, co_await open(host, std::move(config)));
  if (Result<> listening = co_await server->listen(); !listening) {
    (void)co_await server->stop();
    co_return holdfast::fail(std::move(listening));
  }
  co_return std::move(server);
}

}  // namespace holdfast::server
