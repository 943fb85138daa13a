// The record of a disk's operations: what is written is read back, a torn end is an end, anything else is damage.
#include "io/real/operation_record.h"

#include <gtest/gtest.h>

#include "io/base/random.h"

namespace holdfast::real {
namespace {

std::vector<OperationEvent> story() {
  return {
      OperationBegin{.operation = 1, .at = {10}, .call = DiskCall::kCreate, .path = "d/a.new"},
      OperationEnd{.operation = 1, .at = {20}, .succeeded = true},
      OperationBegin{.operation = 2, .at = {21}, .call = DiskCall::kWrite, .file = 1, .offset = 4096, .data = "hello"},
      OperationBegin{.operation = 3, .at = {21}, .call = DiskCall::kRename, .path = "d/a.new", .to = "d/a"},
      OperationEnd{.operation = 3, .at = {30}, .succeeded = false},
      OperationEnd{.operation = 2, .at = {31}, .succeeded = true, .bytes = 5},
      OperationBegin{.operation = 4, .at = {32}, .call = DiskCall::kPreallocate, .file = 1, .offset = 0, .length = 1 << 20},
  };
}

Buffer encoded(const std::vector<OperationEvent>& events) {
  Buffer out = record_header();
  for (const OperationEvent& e : events) append_record(out, e);
  return out;
}

/// The same events, encoded again, are the same bytes: so nothing was lost on the way.
Buffer encoded_again(const Result<OperationRecord>& record) { return encoded(record.value().events); }

TEST(OperationRecord, BringsBackWhatWasWritten) {
  Buffer bytes = encoded(story());
  Result<OperationRecord> record = parse_record(bytes);
  ASSERT_TRUE(record);
  EXPECT_FALSE(record->torn);
  ASSERT_EQ(record->events.size(), story().size());
  EXPECT_EQ(encoded_again(record), bytes);
  const auto& write = std::get<OperationBegin>(record->events[2]);
  EXPECT_EQ(write.data, "hello");
  EXPECT_EQ(write.offset, 4096u);
  EXPECT_EQ(std::get<OperationBegin>(record->events[3]).to, "d/a");
  EXPECT_EQ(std::get<OperationEnd>(record->events[5]).bytes, 5u);
  EXPECT_EQ(time_of(record->events[5]), Time{31});
}

TEST(OperationRecord, EndsWhereItIsCutOff) {
  Buffer bytes = encoded(story());
  size_t whole = 0;
  for (size_t n = 0; n <= bytes.size(); ++n) {
    Result<OperationRecord> record = parse_record(Bytes(bytes).substr(0, n));
    ASSERT_TRUE(record) << n << ": " << record.error().text();
    EXPECT_GE(record->events.size(), whole);
    whole = record->events.size();
    EXPECT_EQ(record->torn, encoded_again(record).size() != n) << n;
  }
  EXPECT_EQ(whole, story().size());
}

TEST(OperationRecord, NamesADamagedByteInsteadOfReadingOn) {
  Buffer bytes = encoded(story());
  for (size_t at = 0; at < bytes.size(); ++at) {
    Buffer damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    Result<OperationRecord> record = parse_record(damaged);
    ASSERT_FALSE(record) << at;
    EXPECT_EQ(record.error().code, Code::kCorrupt);
  }
}

TEST(OperationRecord, RefusesGarbage) {
  Rng random(1, "garbage");
  for (int n = 0; n < 200; ++n) {
    Buffer garbage = n % 2 ? record_header() : Buffer();
    for (uint64_t size = random.between(12, 300); size > 0; --size) garbage += static_cast<char>(random.next());
    EXPECT_FALSE(parse_record(garbage));
  }
}

TEST(OperationRecord, RefusesAnOrderThatCannotBe) {
  auto refuses = [](std::vector<OperationEvent> events) { return !parse_record(encoded(events)); };
  OperationBegin first{.operation = 1, .at = {10}, .call = DiskCall::kSyncDir, .path = "d"};
  OperationEnd end{.operation = 1, .at = {11}, .succeeded = true};
  EXPECT_FALSE(refuses({first, end}));
  EXPECT_TRUE(refuses({end}));
  EXPECT_TRUE(refuses({first, end, end}));
  EXPECT_TRUE(refuses({first, first}));
  EXPECT_TRUE(refuses({OperationBegin{.operation = 2, .at = {10}}}));
  end.at = {9};
  EXPECT_TRUE(refuses({first, end}));
}

}  // namespace
}  // namespace holdfast::real
