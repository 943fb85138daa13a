#include "client/cli/importer.h"

#include <gtest/gtest.h>

#include "io/wire/args.h"
#include "io/wire/reply.h"
#include "io/wire/request.h"
#include "tests/support/loop_network.h"

namespace holdfast::cli {
namespace {

using test::LoopConnection;

uint64_t number(Bytes document) {
  auto n = msgpack::lookup(document, "n");
  msgpack::Value v;
  return n && msgpack::Cursor(*n).next(v) ? v.u : UINT64_MAX;
}

/// A server that stores what insert-many brings, all or nothing, and refuses batches with a document whose `n` is bad.
class ImporterTest : public testing::Test {
 protected:
  static io::Task<void> serve(ImporterTest& test, std::unique_ptr<LoopConnection> connection) {
    wire::FrameReader reader;
    for (;;) {
      auto n = co_await connection->read_some(reader.prepare());
      if (!n || *n == 0) co_return;
      reader.commit(*n);
      for (;;) {
        auto payload = reader.next();
        if (!payload || !*payload) break;
        Buffer out = test.answer(**payload);
        (void)co_await connection->write_all(out);
      }
    }
  }

  static io::Task<void> accept_all(ImporterTest& test) {
    while (auto connection = co_await test.world_.network.accepted.pop())
      test.world_.executor.spawn(serve(test, std::move(*connection)));
  }

  Buffer answer(Bytes payload) {
    wire::Request r;
    EXPECT_TRUE(wire::parse_request(payload, r));
    Buffer out;
    wire::ReplyWriter reply(out, r.id);
    if (r.op == wire::Op::kInsertMany || r.op == wire::Op::kInsertOne) {
      ++requests_;
      auto numbers = r.op == wire::Op::kInsertOne ? std::vector{number(r.args)} : numbers_of(r.args);
      if (auto error = store(numbers)) reply.fail(*error);
    }
    reply.end({Lsn(1), Lsn(1)});
    return out;
  }

  std::vector<uint64_t> numbers_of(Bytes args) {
    auto many = wire::parse_insert_many(args);
    EXPECT_TRUE(many);
    std::vector<uint64_t> numbers;
    for (Bytes document; many->next(document);) numbers.push_back(number(document));
    return numbers;
  }

  std::optional<Error> store(const std::vector<uint64_t>& numbers) {
    for (uint64_t n : numbers)
      if (bad_.contains(n)) return wire::duplicate_key("things", std::to_string(n));
    if (read_only_after_ && stored_.size() >= *read_only_after_) return Error{Code::kReadOnly, "no writes now"};
    stored_.insert(stored_.end(), numbers.begin(), numbers.end());
    return std::nullopt;
  }

  /// Line i holds {"n": i}, but for the lines given.
  Result<> import(uint64_t lines, ImportOptions options, std::map<uint64_t, std::string> other = {}) {
    std::optional<Result<>> result;
    auto all = [](ImporterTest& test, uint64_t n, ImportOptions o, std::map<uint64_t, std::string> texts,
                  std::optional<Result<>>& out) -> io::Task<void> {
      test.world_.executor.spawn(accept_all(test));
      client::Client client(test.world_.host, {.connections = 2, .sessions = false});
      test.importer_.emplace(test.world_.executor, client.collection("things"), o,
                             [&test](uint64_t line, const Error&) { test.refused_.insert(line); });
      for (uint64_t line = 1; line <= n; ++line) {
        std::string text = texts.contains(line) ? texts[line] : "{\"n\":" + std::to_string(line) + "}";
        if (!co_await test.importer_->add(text, line)) break;
      }
      out = co_await test.importer_->finish();
      co_await client.close();
    };
    world_.executor.spawn(all(*this, lines, options, std::move(other), result));
    world_.executor.run();
    EXPECT_TRUE(result) << "the import never ended";
    std::ranges::sort(stored_);
    return *result;
  }

  std::vector<uint64_t> all_but(uint64_t lines, const std::set<uint64_t>& without) {
    std::vector<uint64_t> out;
    for (uint64_t n = 1; n <= lines; ++n)
      if (!without.contains(n)) out.push_back(n);
    return out;
  }

  test::LoopHost world_;
  std::optional<Importer> importer_;
  std::set<uint64_t> bad_;
  std::optional<uint64_t> read_only_after_;
  std::vector<uint64_t> stored_;
  std::set<uint64_t> refused_;
  int requests_ = 0;
};

constexpr ImportOptions kSmall{.batch_documents = 10, .batch_bytes = 1 << 20, .in_flight = 3};

TEST_F(ImporterTest, InsertsEverythingInBatches) {
  ASSERT_TRUE(import(95, kSmall));
  EXPECT_EQ(stored_, all_but(95, {}));
  EXPECT_EQ(requests_, 10);
  EXPECT_EQ(importer_->inserted(), 95u);
}

TEST_F(ImporterTest, BoundsBatchesByBytesToo) {
  ASSERT_TRUE(import(50, {.batch_documents = 1000, .batch_bytes = 16, .in_flight = 2}));
  EXPECT_EQ(stored_, all_but(50, {}));
  EXPECT_GE(requests_, 12);
}

TEST_F(ImporterTest, StopsAtTheFirstRefusedDocumentAndNamesIt) {
  bad_ = {37, 38};
  auto r = import(95, {.batch_documents = 10, .batch_bytes = 1 << 20, .in_flight = 1});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kDuplicateKey);
  EXPECT_TRUE(r.error().message.starts_with("line 37: E11000")) << r.error().message;
  EXPECT_EQ(importer_->stopped_at(), 37u);
  EXPECT_EQ(importer_->inserted_before(37), 36u);
  EXPECT_EQ(stored_, all_but(36, {})) << "nothing after it with one batch under way";
}

TEST_F(ImporterTest, CountsWhatWasAlreadyUnderWayBehindTheRefusedDocument) {
  bad_ = {5};
  ASSERT_FALSE(import(95, kSmall));
  EXPECT_EQ(importer_->stopped_at(), 5u);
  EXPECT_EQ(importer_->inserted_before(5), 4u);
  EXPECT_EQ(importer_->inserted(), stored_.size());
  EXPECT_LT(stored_.size(), 50u);
}

TEST_F(ImporterTest, GoesOnAfterRefusedDocumentsWhenAsked) {
  bad_ = {1, 37, 38, 60, 95};
  ImportOptions options = kSmall;
  options.keep_going = true;
  ASSERT_TRUE(import(95, options));
  EXPECT_EQ(stored_, all_but(95, bad_));
  EXPECT_EQ(refused_, bad_);
  EXPECT_EQ(importer_->refused(), 5u);
}

TEST_F(ImporterTest, NamesTheLineOfBadJson) {
  auto r = import(30, kSmall, {{15, "{\"n\":"}});
  ASSERT_FALSE(r);
  EXPECT_TRUE(r.error().message.starts_with("line 15, column ")) << r.error().message;
  EXPECT_EQ(stored_, all_but(14, {})) << "what came before it is in, the unfinished batch too";
}

TEST_F(ImporterTest, RefusesWhatIsNoObject) {
  ImportOptions options = kSmall;
  options.keep_going = true;
  ASSERT_TRUE(import(10, options, {{3, "5"}, {4, "[{}]"}, {5, "{\"$date\": 1}"}, {6, "{\"n\":1,\"n\":2}"}}));
  EXPECT_EQ(refused_, (std::set<uint64_t>{3, 4, 5, 6}));
  EXPECT_EQ(stored_, all_but(10, refused_));
}

TEST_F(ImporterTest, StopsWhenTheServerTakesNothingMore) {
  read_only_after_ = 30;
  ImportOptions options = kSmall;
  options.keep_going = true;
  auto r = import(95, options);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kReadOnly);
  EXPECT_TRUE(r.error().message.starts_with("lines ")) << r.error().message;
  EXPECT_EQ(stored_.size(), 30u);
}

}  // namespace
}  // namespace holdfast::cli
