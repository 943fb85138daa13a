#include "io/wire/sealed_frames.h"

#include "io/base/probe.h"

namespace holdfast::wire {
namespace {

constexpr uint64_t kMask = 0x414c4f5344424147;
constexpr size_t kNonceBytes = 16;

using Nonce = std::array<char, kNonceBytes>;

/// What of the nonce goes before the ciphertext.
size_t sent_nonce(FrameStyle style) {
  switch (style) {
    case FrameStyle::kPskAesGcm:
      return 8;
    case FrameStyle::kPskAegis:
      return 16;
    case FrameStyle::kOwn:
      return 0;
  }
  return 0;
}

Nonce nonce_of(FrameStyle style, uint64_t counter) {
  Nonce out{};
  if (style == FrameStyle::kPskAegis) {
    store_be(out.data(), counter);
    store_be(out.data() + 8, counter ^ kMask);
  } else {
    store_be(out.data() + 8, counter);
  }
  return out;
}

Bytes view(const Nonce& n) { return {n.data(), n.size()}; }

/// The number of a frame after so many.
uint64_t next_counter(FrameStyle style, uint64_t before) { return style == FrameStyle::kOwn ? before : before + 1; }

/// Of version 1 the counter alone is sent, which stands last.
Bytes sent_part(FrameStyle style, const Nonce& nonce) { return view(nonce).substr(kNonceBytes - sent_nonce(style)); }

}  // namespace

size_t overhead(FrameStyle style) { return sent_nonce(style) + kTagBytes; }

void FrameSealer::seal(Buffer& out, size_t start) {
  const size_t head = sent_nonce(style_);
  const size_t text = out.size() - start - kFrameHeaderSize;
  HF_ASSERT(text <= UINT32_MAX - overhead(), "whoever writes a frame keeps to its limit, which is far below");
  Nonce nonce = nonce_of(style_, next_counter(style_, sealed_++));
  grow(out, overhead());
  char* frame = out.data() + start;
  char* body = frame + kFrameHeaderSize + head;
  if (head > 0) {
    std::memmove(body, frame + kFrameHeaderSize, text);
    std::memcpy(frame + kFrameHeaderSize, sent_part(style_, nonce).data(), head);
  }
  store_be(frame, static_cast<uint32_t>(text + overhead()));
  Bytes ad = style_ == FrameStyle::kOwn ? Bytes(frame, kFrameHeaderSize) : Bytes();
  aead_seal(key_, view(nonce), ad, {body, text}, body + text);
}

std::optional<Bytes> FrameOpener::open(MutableBytes payload) {
  if (!refused_)
    if (std::optional<Bytes> message = open_next(payload)) return message;
  refused_ = true;
  wipe(payload);
  return std::nullopt;
}

std::optional<Bytes> FrameOpener::open_next(MutableBytes payload) {
  const size_t head = sent_nonce(style_);
  if (payload.size() < overhead()) return std::nullopt;
  uint64_t counter = next_counter(style_, opened_);
  if (MUTANT("opener-accepts-any-counter") && head > 0) counter = load_be<uint64_t>(payload.data());
  Nonce nonce = nonce_of(style_, counter);
  if (Bytes(payload.data(), head) != sent_part(style_, nonce)) return std::nullopt;
  ++opened_;
  std::array<char, kFrameHeaderSize> length;
  store_be(length.data(), static_cast<uint32_t>(payload.size()));
  Bytes ad = style_ == FrameStyle::kOwn ? Bytes(length.data(), length.size()) : Bytes();
  MutableBytes text = payload.subspan(head, payload.size() - overhead());
  Bytes tag(payload.data() + payload.size() - kTagBytes, kTagBytes);
  if (!aead_open(key_, view(nonce), ad, text, tag)) return std::nullopt;
  return Bytes(text.data(), text.size());
}

}  // namespace holdfast::wire
