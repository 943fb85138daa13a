#include "io/wire/frame.h"

#include <algorithm>

#include "io/base/assert.h"
#include "io/base/probe.h"

namespace holdfast::wire {
namespace {

constexpr size_t kMinReadAhead = 4u << 10;
constexpr size_t kMaxReadAhead = 32u << 10;

}  // namespace

MutableBytes FrameReader::prepare() {
  if (begin_ == end_) begin_ = end_ = 0;
  size_t ahead = std::max(read_ahead_, kMinReadAhead);
  // Grow to room for as much again as has arrived, and only when half the read-ahead is used up: bytes that trickle in
  // one by one must not cost a copy each.
  size_t want = std::max(ahead, buffered());
  if (buffered() == 0 && capacity_ > 2 * ahead) {
    move_to(want);
  } else if (capacity_ - end_ < ahead / 2 || capacity_ == 0) {
    if (capacity_ >= buffered() + want) {
      std::memmove(data_.get(), data_.get() + begin_, buffered());
      end_ -= begin_;
      begin_ = 0;
    } else {
      move_to(buffered() + want);
    }
  }
  offered_ = capacity_ - end_;
  return {data_.get() + end_, offered_};
}

void FrameReader::move_to(size_t capacity) {
  auto larger = std::make_unique_for_overwrite<char[]>(capacity);
  size_t n = buffered();
  if (n > 0) std::memcpy(larger.get(), data_.get() + begin_, n);
  data_ = std::move(larger);
  capacity_ = capacity;
  begin_ = 0;
  end_ = n;
}

void FrameReader::commit(size_t n) {
  HF_ASSERT(n <= offered_, "no more bytes are read than prepare() made room for");
  end_ += n;
  read_ahead_ = std::max(read_ahead_, kMinReadAhead);
  if (n == offered_)
    read_ahead_ = std::min(kMaxReadAhead, 2 * read_ahead_);
  else if (n < offered_ / 4)
    read_ahead_ = std::max(kMinReadAhead, read_ahead_ / 2);
  offered_ = 0;
}

Result<std::optional<Bytes>> FrameReader::next() {
  if (!failed_ && buffered() < kFrameHeaderSize) return std::nullopt;
  size_t length = load_be<uint32_t>(data_.get() + begin_);
  if (failed_ || length > max_payload_) {
    failed_ = true;
    return fail(Code::kTooLarge, "a frame of " + std::to_string(length) + " bytes was announced, the limit is " +
                                     std::to_string(max_payload_) + "; send less at once");
  }
  if (buffered() - kFrameHeaderSize < length) {
    SOMETIMES(true, "frame-arrives-in-parts");
    return std::nullopt;
  }
  Bytes payload(data_.get() + begin_ + kFrameHeaderSize, length);
  begin_ += kFrameHeaderSize + length;
  payload_size_ = length;
  return payload;
}

std::unique_ptr<char[]> FrameReader::detach() {
  std::unique_ptr<char[]> given = std::move(data_);
  size_t rest = buffered();
  capacity_ = 0;
  if (rest > 0) {
    data_ = std::make_unique_for_overwrite<char[]>(rest + kMinReadAhead);
    capacity_ = rest + kMinReadAhead;
    std::memcpy(data_.get(), given.get() + begin_, rest);
  }
  begin_ = 0;
  end_ = rest;
  return given;
}

std::optional<size_t> FrameReader::announced() const {
  if (failed_ || buffered() < kFrameHeaderSize) return std::nullopt;
  size_t length = load_be<uint32_t>(data_.get() + begin_);
  if (length > max_payload_ || buffered() - kFrameHeaderSize >= length) return std::nullopt;
  return length;
}

Bytes FrameReader::unfinished() const {
  if (buffered() < kFrameHeaderSize) return {};
  return {data_.get() + begin_ + kFrameHeaderSize, buffered() - kFrameHeaderSize};
}

void FrameReader::reset() {
  SOMETIMES(in_frame(), "frame-reader-reset-in-mid-frame");
  failed_ = false;
  offered_ = 0;
  if (MUTANT("frame-buffer-not-cleared-after-reset")) return;
  begin_ = end_ = 0;
  read_ahead_ = 0;
}

size_t begin_frame(Buffer& out) {
  size_t start = out.size();
  store_be<uint32_t>(grow(out, kFrameHeaderSize), 0);
  return start;
}

void end_frame(Buffer& out, size_t start) {
  size_t length = out.size() - start - kFrameHeaderSize;
  HF_ASSERT(length <= UINT32_MAX, "whoever writes a frame keeps to its limit, which is far below");
  store_be(out.data() + start, static_cast<uint32_t>(length));
}

}  // namespace holdfast::wire
