// Frames: how messages lie in a stream of bytes.
//
//     +----------------------+-------------------------------+
//     | length, 4 bytes, BE  | payload: one MessagePack value |
//     +----------------------+-------------------------------+
//
// The length counts the payload alone. The same layout serves both directions, with a limit for each.
//
// Invariants of FrameReader:
//  1. Memory follows the bytes that arrived, never the length that was announced: the buffer has room for what has
//     arrived and as much again, or a read-ahead of at most 32 KiB when that is more. A reader that waits empty keeps
//     at most twice its read-ahead, which halves with every read that brings little: one that turned idle soon keeps 4
//     to 8 KiB.
//  2. A length over the limit is an error at once, before any of the payload is waited for. A reader that failed stays
//     failed until reset(): the stream has lost its place.
//  3. After reset() nothing of the old stream is ever seen again.
//
// Pure; belongs to whoever reads the connection.
#pragma once

#include <memory>
#include <optional>

#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::wire {

inline constexpr size_t kFrameHeaderSize = 4;
/// The largest payload that a server takes.
inline constexpr size_t kMaxRequestSize = 64u << 20;
/// The largest payload that a client takes. The original client counts 32 bytes of encryption overhead in it.
inline constexpr size_t kMaxReplySize = 50u << 20;
inline constexpr size_t kEncryptionOverhead = 32;

class FrameReader {
 public:
  explicit FrameReader(size_t max_payload = kMaxRequestSize) : max_payload_(max_payload) {}
  FrameReader(FrameReader&&) noexcept = default;
  FrameReader& operator=(FrameReader&&) noexcept = default;

  /// Room for the next bytes of the stream, never empty. Ends the life of every view that next() and unfinished() gave.
  MutableBytes prepare();
  /// `n` bytes were read into the front of what prepare() gave.
  void commit(size_t n);

  /// The payload of the next whole frame, borrowed until the next prepare() or reset(); nothing when more bytes are
  /// needed. Errors: kTooLarge for an announced length over the limit; again on every later call.
  Result<std::optional<Bytes>> next();

  /// That payload, to be changed in place. Requires: next() just gave one.
  MutableBytes payload() { return {data_.get() + begin_ - payload_size_, payload_size_}; }

  /// Another limit from now on.
  void set_limit(size_t max_payload) { max_payload_ = max_payload; }

  /// Gives away the memory in which the payload that next() just gave lies, so that it need not be copied to outlive
  /// prepare(); bytes after it are copied instead. Worth it for a payload that fills most of what is buffered.
  /// Requires: next() just gave one.
  std::unique_ptr<char[]> detach();

  /// The announced length of a frame whose payload has not arrived whole; nothing while its length is not known, or
  /// over the limit.
  std::optional<size_t> announced() const;

  /// What has arrived of the payload after the last whole frame, also of one that is too large: enough, often, to read
  /// a request's id from it (peek_id in request.h). Borrowed like next()'s views.
  Bytes unfinished() const;
  /// All that has been read and not given out. Borrowed like next()'s views.
  Bytes buffered_bytes() const { return {data_.get() + begin_, buffered()}; }
  /// Whether bytes of an unfinished frame are waiting: a stream that ends here was cut.
  bool in_frame() const { return end_ > begin_; }

  /// Forgets everything: a new stream begins.
  void reset();

  size_t capacity() const { return capacity_; }

 private:
  size_t buffered() const { return end_ - begin_; }
  void move_to(size_t capacity);

  size_t max_payload_;
  std::unique_ptr<char[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t read_ahead_ = 0;  ///< how many bytes to ask for; grows while reads fill it
  size_t payload_size_ = 0;  ///< of the last one that next() gave
  size_t offered_ = 0;     ///< what the last prepare() gave
  bool failed_ = false;
};

/// Appends a header whose length is filled in by end_frame, and returns where the frame starts.
size_t begin_frame(Buffer& out);
/// Fills in the length of the frame that starts at `start` and ends at the end of `out`.
/// Requires: the payload is at most 4 GiB. The limits above are the callers' affair (reply.h, request.h).
void end_frame(Buffer& out, size_t start);

}  // namespace holdfast::wire
