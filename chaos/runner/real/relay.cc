#include "chaos/runner/real/relay.h"

#include <algorithm>

namespace holdfast::chaos {

io::Task<Result<>> Relay::listen() {
  auto listener = co_await host_.network.listen({"127.0.0.1", 0});
  if (!listener) co_return fail(listener);
  listener_ = std::move(*listener);
  tasks_.spawn(accept_loop());
  co_return Result<>();
}

io::Task<void> Relay::accept_loop() {
  CoreId here = (co_await io::this_executor()).core();
  for (;;) {
    auto client = co_await listener_->accept(here);
    if (!client && client.error().code == Code::kClosed) co_return;
    if (client && server_)
      tasks_.spawn(connect(std::move(*client)));
    else if (!client)
      co_await io::sleep_for(milliseconds(10));
  }
}

io::Task<void> Relay::connect(std::unique_ptr<io::Connection> client) {
  auto server = co_await host_.network.connect(*server_, (co_await io::this_executor()).now() + seconds(5));
  if (!server || !server_) co_return;
  auto pair = std::make_shared<Pair>(Pair{std::move(client), std::move(*server)});
  std::erase_if(pairs_, [](const auto& p) { return p.expired(); });
  pairs_.push_back(pair);
  tasks_.spawn(pump(pair, Way::kToServer));
  tasks_.spawn(pump(pair, Way::kToClient));
}

io::Task<void> Relay::pump(std::shared_ptr<Pair> pair, Way way) {
  io::Connection& from = way == Way::kToServer ? *pair->client : *pair->server;
  io::Connection& to = way == Way::kToServer ? *pair->server : *pair->client;
  std::vector<char> bytes(64 << 10);
  for (;;) {
    auto n = co_await from.read_some(bytes);
    if (!n || *n == 0) break;
    if (!co_await to.write_all(Bytes(bytes.data(), *n))) break;
  }
  pair->close();
}

void Relay::cut() {
  for (const auto& p : pairs_)
    if (auto pair = p.lock()) pair->close();
}

io::Task<void> Relay::close() {
  shut();
  cut();
  listener_->close();
  co_await tasks_.drained();
}

}  // namespace holdfast::chaos
