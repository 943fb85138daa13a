// Replies: the envelope around every answer, written straight into a connection's output and read in place.
//
//     { id: uint, result?: any, error?: str, code?: str, lsn?: uint, durable_lsn?: uint }
//
// `error` is `code: sentence that says what to do` and stands only in failures; `code` repeats its first word for
// programs. A duplicate key's sentence begins with "E11000". The two LSNs are always nine bytes wide and stand last, so
// that a reply can be written when a request is evaluated, held, and brought up to date when it is released.
#pragma once

#include <optional>

#include "io/base/bytes.h"
#include "io/base/error.h"
#include "io/base/ids.h"
#include "io/base/msgpack.h"
#include "io/wire/frame.h"

namespace holdfast::wire {

/// The largest reply that is sent: what the client takes, less what encryption may add.
inline constexpr size_t kMaxReplyPayload = kMaxReplySize - kEncryptionOverhead;

/// Writes one reply. Either result() once, fail() once or neither, then end() once:
///
///     ReplyWriter reply(out, request.id);
///     reply.result().map(1).string("exists").boolean(true);
///     ReplyEnd end = reply.end({lsn, durable_lsn});
///
/// Owns nothing but its place in `out`; nothing else may append to `out` between construction and end().
class ReplyWriter {
 public:
  enum class Framing : uint8_t { kFrame, kNested };  ///< kNested: an inner reply of a batch, without a length
  struct Lsns {
    Lsn lsn;      ///< the highest LSN that the evaluation read, or its own commit
    Lsn durable;  ///< everything up to here survives a power cut
  };
  /// Where a finished reply stands in the output.
  struct Place {
    size_t start = 0;
    size_t size = 0;
  };

  ReplyWriter(Buffer& out, uint64_t id, Framing framing = Framing::kFrame);

  /// Takes exactly one value.
  msgpack::Writer result();
  /// Answers with an error; drops a result that was begun. The message is cut to 1 KiB, and what is not UTF-8 in it is
  /// replaced.
  void fail(const Error& error);
  /// How many bytes this reply has so far: whoever writes a large result looks now and then whether it still fits.
  size_t size() const { return out_.size() - start_; }

  /// Ends the reply. One over the limit is replaced by a `too_large` error, so whatever is in `out` may be sent.
  Place end(Lsns lsns);

 private:
  void rewind();
  Buffer& out_;
  size_t start_;
  uint64_t id_;
  Framing framing_;
  uint8_t pairs_ = 1;
};

/// Puts newer LSNs into a finished reply (its bytes from start to start + size).
void set_lsns(MutableBytes reply, ReplyWriter::Lsns lsns);

struct Reply {
  uint64_t id = 0;
  Bytes result;  ///< one value; empty when absent or nil
  Bytes error;   ///< empty: success
  Code code = Code::kInternal;  ///< of a failure
  Lsn lsn;
  Lsn durable_lsn;

  bool ok() const { return error.empty(); }
  /// Of a failure: its code and sentence.
  Error failure() const;
};

/// Reads an envelope, its keys in any order. The views borrow from `payload`. Errors: kBadRequest for what is no reply.
Result<Reply> parse_reply(Bytes payload);

/// The error for an `_id` that is taken. `id` is its text, as people know it.
Error duplicate_key(std::string_view collection, std::string_view id);

}  // namespace holdfast::wire
