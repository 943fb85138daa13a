#include "server/server.h"

#include <fmt/format.h>

#include "io/base/probe.h"

namespace holdfast::server {

Server::Server(std::unique_ptr<core::Engine> engine, io::Host& host, Config config, FoundUsers users)
    : engine_(std::move(engine)),
      facts_{.host = host,
             .config = std::move(config),
             .engine = *engine_,
             .started = host.clock.now(),
             .logins = {.users = std::move(users.users), .psk = {}},
             .users_file = users.number},
      tasks_(host.cores.executor(CoreId(0))) {}

std::unique_ptr<Server> Server::around(std::unique_ptr<core::Engine> engine, io::Host& host, Config config,
                                       FoundUsers users) {
  return std::unique_ptr<Server>(new Server(std::move(engine), host, std::move(config), std::move(users)));
}

io::Task<Result<>> Server::listen() {
  io::Host& host = facts_.host;
  auto known = co_await engine_->stats();
  if (!known.result) co_return holdfast::fail(std::move(known.result));
  facts_.mode = known.result->mode;
  facts_.server_id = known.result->server_id;
  HF_CO_CHECK_OK(co_await open_logins());
  co_await look_for_databases();
  HF_CO_TRY(listener, co_await host.network.listen(facts_.config.listen));
  listener_ = std::move(listener);
  for (uint16_t i = 0; i < host.cores.count(); ++i)
    cores_.push_back(std::make_unique<ServerCore>(facts_, CoreId(i), cores_));
  for (const auto& core : cores_) host.cores.send(CoreId(0), core->id(), [&core = *core] { core.start(); });
  tasks_.spawn(accept_loop());
  co_return Result<>();
}

// The user of --username, and a key for the server as soon as somebody may log in.
io::Task<Result<>> Server::open_logins() {
  const LoginConfig& login = facts_.config.login;
  io::Host& host = facts_.host;
  Logins& logins = facts_.logins;
  if (!login.username.empty()) {
    if (logins.users && logins.users->look_up(login.username))
      co_return fail(
          Code::kBadRequest,
          fmt::format("--username {}: there is a stored user of that name; remove one of the two", login.username));
    std::array<char, wire::kSaltBytes> salt;
    host.random.entropy(salt);
    HF_CO_TRY(psk, make_psk_login(login.username, login.password, Bytes(salt.data(), salt.size()), login.cost));
    logins.psk = std::move(psk);
    if (!logins.users) {
      logins.users = new_users(host.random);
      HF_CO_CHECK_OK(co_await write_users(host.disk, facts_.config.engine.data_path, facts_.users_file, *logins.users));
      ++facts_.users_file;
    }
  }
  if (logins.guarded() && !logins.somebody_writes())
    host.log.log(io::Level::kWarning,
                 "there is no user of role read-write, so nobody can write or manage users; stop the server and add "
                 "one: holdfastd user add NAME --data-path DIR");
  if (logins.guarded()) {
    std::string key = wire::key_text(wire::x25519_public(logins.users->key()));
    host.log.log(io::Level::kInfo,
                 fmt::format("whoever connects must log in; clients know this server by its key {}", key));
  }
  co_return Result<>();
}

io::Task<void> Server::look_for_databases() {
  for (const std::string& name : facts_.config.load_databases) {
    auto known = co_await engine_->database_exists(name);
    std::string_view trouble = !known.result   ? std::string_view(known.result.error().message)
                               : *known.result ? ""
                                               : "it is made with its first write";
    if (!trouble.empty())
      facts_.host.log.log(io::Level::kWarning, fmt::format("--load-dbs: there is no database {}: {}", name, trouble));
  }
}

// --- Connections.

io::Task<void> Server::accept_loop() {
  uint16_t next = 0;
  while (true) {
    CoreId owner(next);
    Result<std::unique_ptr<io::Connection>> connection = co_await listener_->accept(owner);
    if (connection) {
      hand_over(std::move(*connection), owner);
      next = static_cast<uint16_t>((next + 1) % cores_.size());
    } else if (connection.error().code == Code::kClosed || !co_await pause_accepting(connection.error())) {
      co_return;
    }
  }
}

void Server::hand_over(std::unique_ptr<io::Connection> connection, CoreId owner) {
  uint32_t& open = cores_[0]->open_connections;
  bool full = open >= facts_.config.limits.connections;
  if (!full) ++open;
  SOMETIMES(full, "connection-beyond-the-limit");
  facts_.host.cores.send(CoreId(0), owner,
                         [&core = *cores_[owner.value], full, connection = std::move(connection)]() mutable {
                           if (full)
                             core.refuse(std::move(connection));
                           else
                             core.serve(std::move(connection));
                         });
}

// When the process has no descriptor left, say: the connection waits in the queue. False when the server stops.
io::Task<bool> Server::pause_accepting(const Error& error) {
  Time now = facts_.host.clock.now();
  if (now - complained_ > seconds(10)) {
    complained_ = now;
    facts_.host.log.log(io::Level::kWarning, fmt::format("no new connections for the moment: {}", error.message));
  }
  co_return !co_await stopping_.wait(now + milliseconds(100));
}

// --- The end.

io::Task<Result<>> Server::stop() {
  stopping_.set();
  if (listener_) listener_->close();
  co_await tasks_.drained();
  listener_.reset();  // it belongs to the host, which may go before this object
  uint32_t unfinished = 0;
  for (const auto& core : cores_) tasks_.spawn(stop_core(*core, unfinished));
  co_await tasks_.drained();
  // What the cores told core 0 has arrived with their ends; what core 0 told them since has arrived after this round.
  for (const auto& core : cores_) tasks_.spawn(pass_by(*core));
  co_await tasks_.drained();
  if (unfinished > 0)
    co_return fail(Code::kTimeout,
                   fmt::format("requests on {} cores would not end; what was acknowledged comes back from the journal",
                               unfinished));
  co_return co_await engine_->stop();
}

io::Task<void> Server::stop_core(ServerCore& core, uint32_t& unfinished) {
  auto make = [&core] { return core.stop(); };
  if (!co_await io::call_on<bool>(facts_.host.cores, core.id(), make)) ++unfinished;
}

io::Task<void> Server::pass_by(ServerCore& core) {
  auto make = [&core] { return core.nothing(); };
  co_await io::call_on<bool>(facts_.host.cores, core.id(), make);
}

void Server::hurry() {
  for (const auto& core : cores_) facts_.host.cores.send(CoreId(0), core->id(), [&core = *core] { core.hurry(); });
}

uint64_t Server::bytes_held() const {
  uint64_t sum = 0;
  for (const auto& core : cores_) sum += core->bytes_held();
  return sum;
}

}  // namespace holdfast::server
