// Apart from server.cc, so that tests can serve from another engine without linking this one.
#include "server/server.h"

namespace holdfast::server {

io::Task<Result<std::unique_ptr<Server>>> Server::open(io::Host& host, Config config) {
  HF_CO_TRY(engine, co_await core::Engine::open(host, config.engine));
  co_return around(std::move(engine), host, std::move(config));
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
