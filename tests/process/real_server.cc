#include <gtest/gtest.h>

#include "tests/process/real_server.h"

#include <fmt/core.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>

#include "io/base/msgpack.h"

namespace holdfast::test {

bool full_size() { return std::getenv("HOLDFAST_FULL_SIZE") != nullptr; }

RealServer::RealServer(std::vector<std::string> flags)
    : options_{.program = HOLDFAST_BIN "/holdfastd", .directory = scratch_.path("server"), .flags = std::move(flags)} {
  start();
}

void RealServer::start() {
  process_.emplace(chaos::ServerProcess::start(options_));
  ASSERT_TRUE(process_->wait_ready(kPatienceMs / 1000.0)) << chaos::describe_end(process_->status()) << "\n" << process_->log();
}

void RealServer::stop_clean() {
  std::optional<int> status = end(SIGTERM);
  EXPECT_TRUE(status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0) << chaos::describe_end(status) << "\n" << process_->log();
  EXPECT_EQ(chaos::find_report(process_->log()), "");
}

testing::AssertionResult RealServer::serves() {
  if (process_->poll() != chaos::ServerProcess::State::kReady)
    return testing::AssertionFailure() << "the server is gone: " << chaos::describe_end(process_->status()) << "\n" << process_->log();
  RawClient client(port());
  std::string key = fmt::format("served-{}", ++served_);
  Buffer document, query;
  msgpack::Writer(document).map(2).string("_id").string(key).string("n").integer(served_);
  msgpack::Writer(query).map(1).string("id").string(key);
  if (!client.send(request(1, wire::Op::kInsertOne, "served", document))) return testing::AssertionFailure() << "it takes no request";
  auto inserted = client.reply();
  if (!inserted || !inserted->reply.ok()) return testing::AssertionFailure() << "no insert: " << (inserted ? inserted->reply.error : "no reply");
  client.send(request(2, wire::Op::kFindById, "served", query));
  auto found = client.reply();
  if (!found || found->reply.result != Bytes(document)) return testing::AssertionFailure() << "not found again";
  return testing::AssertionSuccess();
}

}  // namespace holdfast::test
