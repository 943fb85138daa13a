// Sealed frames: how messages lie in an encrypted connection, once a handshake has agreed on keys.
//
//     kPskAegis     | length, 4, BE | counter, 8, BE | counter xor mask, 8, BE | ciphertext | tag, 16 |   version 2
//     kPskAesGcm    | length, 4, BE | counter, 8, BE | ciphertext | tag, 16 |                             version 1
//     kOwn          | length, 4, BE | ciphertext | tag, 16 |                                              our handshake
//
// The length counts what follows it. Each direction of a connection has its key and counts its frames from 1 (kOwn:
// from 0, and nobody sends the number: both sides know it). The counter is the nonce: of version 2 with its masked
// copy, of version 1 behind four zero bytes, of kOwn behind eight. kOwn authenticates the length too.
//
// Invariants of FrameOpener
//  1. It gives out a frame only if it is the next one of its direction, whole and unchanged: repeated, left out,
//     reordered, reflected or foreign frames are refused.
//  2. After the first refusal everything is: the connection is to be closed.
//  3. Of a refused frame nothing is left but zeros.
//
// Pure; both belong to whoever has the connection.
#pragma once

#include <optional>

#include "io/wire/aead.h"
#include "io/wire/frame.h"

namespace holdfast::wire {

enum class FrameStyle : uint8_t { kPskAesGcm, kPskAegis, kOwn };

/// What a frame has more than its message.
size_t overhead(FrameStyle style);

/// What a handshake gives to each side.
struct FrameKeys {
  FrameStyle style = FrameStyle::kOwn;
  AeadKey send;
  AeadKey receive;
};

class FrameSealer {
 public:
  FrameSealer(FrameStyle style, AeadKey key) : style_(style), key_(std::move(key)) {}

  /// Seals the frame that begin_frame() and end_frame() made from `start` to the end of `out`. Requires: its payload
  /// and the overhead fit into 4 GiB.
  void seal(Buffer& out, size_t start);
  size_t overhead() const { return wire::overhead(style_); }

 private:
  FrameStyle style_;
  AeadKey key_;
  uint64_t sealed_ = 0;
};

class FrameOpener {
 public:
  FrameOpener(FrameStyle style, AeadKey key) : style_(style), key_(std::move(key)) {}

  /// Opens the payload of a frame in place: the message, which lies within `payload`; nothing when the frame is
  /// refused.
  std::optional<Bytes> open(MutableBytes payload);
  size_t overhead() const { return wire::overhead(style_); }

 private:
  std::optional<Bytes> open_next(MutableBytes payload);

  FrameStyle style_;
  AeadKey key_;
  uint64_t opened_ = 0;
  bool refused_ = false;
};

}  // namespace holdfast::wire
