// Recordings of a client's connections, and what a reply must have in common with the recorded one. Their form, and why
// each key is compared as it is: recordings/README.md.
#pragma once

#include <string>
#include <vector>

#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::test {

struct Event {
  enum class What : uint8_t { kOpen, kRequest, kReply, kClose, kBreak, kEnd };
  What what = What::kOpen;
  int connection = 0;
  Buffer bytes;     ///< kRequest, kReply: a frame, its length included; kRequest may be no frame at all (a handshake)
  size_t line = 0;  ///< of the file, from 1
};

/// Errors: kBadRequest naming the line.
Result<std::vector<Event>> parse_recording(const std::string& text);

/// What of a frame is behind its length.
Bytes payload_of(Bytes frame);

/// How `reply` differs from the recorded one where it must not; empty when it does not. All three are payloads, and
/// `request` is what both answer.
std::string difference(Bytes request, Bytes recorded, Bytes reply);

}  // namespace holdfast::test
