// Handshake: what sessions and links know of either kind: messages of known sizes go back and forth, and at the end
// there are keys.
#pragma once

#include "io/wire/sealed_frames.h"

namespace holdfast::wire {

class Handshake {
 public:
  virtual ~Handshake() = default;
  /// The size of the peer's next message; 0: nothing more is to come.
  virtual size_t wanted() const = 0;
  /// Takes that message, and returns what is to be sent, maybe nothing. After an error the connection is to be closed.
  virtual Result<Buffer> take(Bytes message) = 0;
  /// Requires: the handshake has succeeded.
  virtual FrameKeys keys() const = 0;
};

}  // namespace holdfast::wire
