// The echo session, over every host.
#include "tests/contract/echo.h"
#include "tests/contract/host_under_test.h"

namespace holdfast::contract {
namespace {

HOLDFAST_CONTRACT(Echo);

io::Task<void> client(io::Host& host, io::Endpoint at, uint32_t id, uint32_t frames, uint32_t& answered) {
  CO_VALUE(c, co_await host.network.connect(at, host.clock.now() + seconds(60)));
  for (uint32_t i = 0; i < frames; ++i) {
    std::string body = std::to_string(id) + "/" + std::to_string(i) + std::string(i * 37 % 5000, 'x');
    CO_OK(co_await write_frame(*c, body));
    auto back = co_await read_frame(*c);
    EXPECT_TRUE(back && *back == body);
    if (!back) co_return;
    ++answered;
  }
}

TEST_P(Echo, ServesManyClientsSideBySide) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    io::Executor& here = co_await io::this_executor();
    EchoServer server(host, here);
    CO_VALUE(at, co_await server.start());
    uint32_t answered = 0;
    io::TaskGroup clients(here);
    for (uint32_t i = 0; i < 20; ++i) clients.spawn(client(host, at, i, 50, answered));
    co_await clients.drained();
    co_await server.stop();
    EXPECT_EQ(answered, 1000u);
    EXPECT_EQ(server.frames(), 1000u);
  });
}

io::Task<void> write_many(io::Connection& c, uint32_t frames) {
  for (uint32_t i = 0; i < frames; ++i) CO_OK(co_await write_frame(c, std::string(i % 700, 'p') + std::to_string(i)));
}

TEST_P(Echo, AnswersAPipelineInOrder) {
  run([](io::Host& host, std::string) -> io::Task<void> {
    io::Executor& here = co_await io::this_executor();
    EchoServer server(host, here);
    CO_VALUE(at, co_await server.start());
    {
      CO_VALUE(c, co_await host.network.connect(at, host.clock.now() + seconds(60)));
      io::TaskGroup writer(here);
      writer.spawn(write_many(*c, 2000));
      for (uint32_t i = 0; i < 2000; ++i) {
        auto back = co_await read_frame(*c);
        EXPECT_TRUE(back && *back == std::string(i % 700, 'p') + std::to_string(i)) << i;
        if (!back) break;
      }
      co_await writer.drained();
    }
    co_await server.stop();
  });
}

}  // namespace
}  // namespace holdfast::contract
