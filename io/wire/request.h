// Requests: the envelope around every operation, read in place and written in place.
//
//     { id: uint, op: uint, collection: str, database?: str, args: any, auth?: str, nr?: bool, tx?: str,
//       session?: uint, number?: uint, answered?: uint, attempt?: uint }
//
// Keys come in any order, integers in any width, and unknown keys are skipped; a known key that comes twice is refused,
// since the two sides could disagree on which one counts. Reading allocates nothing: every field is a view into the
// frame.
#pragma once

#include <optional>

#include "io/base/bytes.h"
#include "io/base/error.h"
#include "io/base/msgpack.h"
#include "io/wire/frame.h"
#include "io/wire/operation.h"

namespace holdfast::wire {

struct Request {
  uint64_t id = 0;
  bool has_id = false;   ///< false only after a failed parse: there is nothing to answer to
  bool no_reply = false;
  Op op = Op::kNone;
  Bytes collection;
  Bytes database;        ///< empty: the server's default database
  Bytes transaction;     ///< within which the operation is executed; empty: none
  // Of a request that is to be executed once (PROTOCOL.md, sessions); session 0: none.
  uint64_t session = 0;
  uint64_t number = 0;
  uint64_t answered = 0;
  uint64_t attempt = 1;
  Bytes args;            ///< one value; empty when absent or nil
  Bytes auth;            ///< empty: none
};

/// Reads an envelope: exactly one value. Fills in what it can also when it fails, so that the error can be answered
/// under the right id, or not at all (`no_reply`). Whether the server serves the operation is not asked here; a number
/// above 255 becomes Op::kNone. Errors: kBadRequest.
Result<> parse_request(Bytes payload, Request& out);

/// The id of a request of which only the beginning has arrived, when that tells it.
std::optional<uint64_t> peek_id(Bytes beginning);
/// The operation of a request that was not parsed yet, nor checked. Op::kNone when it cannot be told.
Op peek_op(Bytes payload);

/// Writes requests straight into a connection's output. One writer per request:
///
///     RequestWriter request(out, {.id = 7, .op = Op::kFindById, .collection = "cities"});
///     request.args().map(1).string("id").string("x");
///     HF_CHECK_OK(request.end());
class RequestWriter {
 public:
  enum class Framing : uint8_t { kFrame, kNested };  ///< kNested: an inner request of a batch, without a length
  struct Head {
    uint64_t id = 0;
    Op op = Op::kNone;
    std::string_view database;
    std::string_view collection;
    bool no_reply = false;
    std::string_view transaction = {};
    uint64_t session = 0;  ///< 0: none, and the other three mean nothing
    uint64_t number = 0;
    uint64_t answered = 0;
    uint64_t attempt = 1;
  };

  RequestWriter(Buffer& out, const Head& head, Framing framing = Framing::kFrame);
  /// Takes exactly one value.
  msgpack::Writer args() { return msgpack::Writer(out_); }
  /// Ends the request. On kTooLarge the output is as before this writer.
  Result<> end();

 private:
  Buffer& out_;
  size_t start_;
  Framing framing_;
};

}  // namespace holdfast::wire
