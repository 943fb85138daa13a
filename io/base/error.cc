#include "io/base/error.h"

#include <array>

#include "io/base/assert.h"

namespace holdfast {
namespace {

constexpr std::array kCodes = {
    CodeInfo{Code::kBadRequest, "bad_request", Retry::kNever, true, false, "The request is malformed; mend it."},
    CodeInfo{Code::kTooLarge, "too_large", Retry::kNever, true, false,
             "The request or its reply passes a limit; nothing was done."},
    CodeInfo{Code::kNotFound, "not_found", Retry::kNever, true, false,
             "What was asked for by name or id is not there."},
    CodeInfo{Code::kDuplicateKey, "duplicate_key", Retry::kNever, true, false,
             "A document with this _id is already there."},
    CodeInfo{Code::kConflict, "conflict", Retry::kSameServer, true, false,
             "Another commit changed what this one relied on; start again from a newer snapshot."},
    CodeInfo{Code::kTxUnknown, "tx_unknown", Retry::kNever, true, false,
             "No transaction of that id is open; begin a new one."},
    CodeInfo{Code::kSessionUnknown, "session_unknown", Retry::kNever, true, false,
             "There is no such session, and the request was not executed; open another session."},
    CodeInfo{Code::kCursorExpired, "cursor_expired", Retry::kNever, false, false,
             "The cursor was idle too long or the server restarted; run the query again."},
    CodeInfo{Code::kSnapshotTooOld, "snapshot_too_old", Retry::kSameServer, false, false,
             "The snapshot is no longer kept; run the query again."},
    CodeInfo{Code::kUnsupported, "unsupported", Retry::kNever, true, false,
             "This server does not offer that operation or option."},
    CodeInfo{Code::kAuth, "auth", Retry::kNever, false, false, "The credentials are missing or wrong."},
    CodeInfo{Code::kReadOnly, "read_only", Retry::kOtherServer, false, false,
             "This server takes no writes at present."},
    CodeInfo{Code::kDiskFull, "disk_full", Retry::kSameServer, false, false,
             "The disk is full; make room and try again."},
    CodeInfo{Code::kCorrupt, "corrupt", Retry::kOtherServer, false, true,
             "Stored bytes that this request needs are damaged; see the server's log."},
    CodeInfo{Code::kOverloaded, "overloaded", Retry::kSameServer, false, false,
             "The server has no room for this request now; try again later."},
    CodeInfo{Code::kTimeout, "timeout", Retry::kAfterAsking, false, false,
             "No answer in time; a write may or may not have happened."},
    CodeInfo{Code::kNotPrimary, "not_primary", Retry::kOtherServer, false, false, "Another server takes the writes."},
    CodeInfo{Code::kUnknownOutcome, "unknown_outcome", Retry::kAfterAsking, false, false,
             "The write may or may not have happened; read before trying again."},
    CodeInfo{Code::kShuttingDown, "shutting_down", Retry::kSameServer, false, false,
             "The server is stopping; connect again when it is back."},
    CodeInfo{Code::kInternal, "internal", Retry::kAfterAsking, false, false,
             "A fault of the server; please report it."},
    CodeInfo{Code::kIo, "io", Retry::kNever, false, false, "The operating system refused a file or socket operation."},
    CodeInfo{Code::kClosed, "closed", Retry::kAfterAsking, false, false, "The connection was closed."},
    CodeInfo{Code::kExists, "exists", Retry::kNever, false, false, "A file of that name is already there."},
    CodeInfo{Code::kLocked, "locked", Retry::kNever, false, false, "Another process uses the data directory."},
    CodeInfo{Code::kUnreachable, "unreachable", Retry::kSameServer, false, false,
             "No connection could be made; nothing was sent."},
};

constexpr bool in_order() {
  for (size_t i = 0; i < kCodes.size(); ++i)
    if (static_cast<size_t>(kCodes[i].code) != i) return false;
  return true;
}
static_assert(in_order(), "info() indexes the table by code");

}  // namespace

const CodeInfo& info(Code code) {
  auto i = static_cast<size_t>(code);
  HF_ASSERT(i < kCodes.size(), "a Code comes from the enumeration");
  return kCodes[i];
}

Code code_of(std::string_view name) {
  for (const CodeInfo& c : kCodes)
    if (c.name == name) return c.code;
  return Code::kInternal;
}

}  // namespace holdfast
