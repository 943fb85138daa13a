// Operation record: what a process asked of its disk, in the order in which it happened, as bytes. Pure.
//
// Place in the system: RecordingDisk writes it; who wants to know what a power cut might have left reads it
// (chaos/runner/real). One file per process.
//
//   file      magic "HFOPREC1" (8), then records to the end; little endian
//   record    length of the payload (4), CRC32C of the payload (4), CRC32C of these eight bytes (4), payload
//   payload   kind (1), operation (8), time (8); then, by kind,
//     begin   call (1), file (8), offset (8), length (8), path (length 4, bytes), second path (likewise), data (rest)
//     end     succeeded (1), bytes (8)
//
// Order: a begin is in the file before its operation starts, an end after it has returned and before anyone hears of
// it. So if one operation had ended before another began, the file says so; and what it leaves open, overlapped. Times
// are CLOCK_MONOTONIC, which all processes of a machine share, and never decrease within a file.
//
// Crash behaviour: the process may be killed at any byte. A file that ends within a record is whole up to there; what
// it shows as begun and not ended may have happened, in part, wholly or not at all. Anything else is kCorrupt.
#pragma once

#include <variant>
#include <vector>

#include "io/base/bytes.h"
#include "io/base/error.h"
#include "io/base/time.h"

namespace holdfast::real {

/// What changes a disk or its durability, and what gives a file the number by which later operations name it.
enum class DiskCall : uint8_t {
  kOpen,  ///< the file must be there
  kCreate,
  kMakeDir,
  kRename,
  kRemove,
  kSyncDir,
  kLock,  ///< makes the file when it is missing
  kWrite,
  kSync,
  kTruncate,
  kPreallocate,
};
std::string_view name(DiskCall call);

/// Paths and data are borrowed.
struct OperationBegin {
  uint64_t operation = 0;  ///< 1, 2, 3 ...
  Time at;
  DiskCall call = DiskCall::kOpen;
  uint64_t file = 0;    ///< the operation that opened it
  uint64_t offset = 0;  ///< kWrite, kPreallocate
  uint64_t length = 0;  ///< kPreallocate; kTruncate: the new size
  std::string_view path;
  std::string_view to;  ///< kRename
  Bytes data;           ///< kWrite
};

struct OperationEnd {
  uint64_t operation = 0;
  Time at;
  bool succeeded = false;
  uint64_t bytes = 0;  ///< kWrite: how many were written
};

using OperationEvent = std::variant<OperationBegin, OperationEnd>;
inline Time time_of(const OperationEvent& event) {
  return std::visit([](const auto& e) { return e.at; }, event);
}

/// What stands at the file's beginning.
Buffer record_header();
void append_record(Buffer& out, const OperationEvent& event);

struct OperationRecord {
  std::vector<OperationEvent> events;  ///< borrow from what was parsed
  bool torn = false;                   ///< ended within a record
};
Result<OperationRecord> parse_record(Bytes file);

}  // namespace holdfast::real
