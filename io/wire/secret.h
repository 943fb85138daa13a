// Secrets in memory: bytes that are wiped when they die, and a comparison that takes equally long wherever two differ.
#pragma once

#include <array>

#include "io/base/assert.h"
#include "io/base/bytes.h"

namespace holdfast::wire {

/// Overwrites `bytes` with zeros; the compiler may not leave it out.
void wipe(MutableBytes bytes);
/// Wipes all that `text` has room for, and empties it.
void wipe(Buffer& text);

/// Whether both are the same, in a time that depends on their lengths alone.
bool equal(Bytes a, Bytes b);

/// N secret bytes: zeros at first. Every copy wipes itself.
template <size_t N>
class Secret {
 public:
  static constexpr size_t kSize = N;

  Secret() = default;
  /// Requires: N bytes.
  explicit Secret(Bytes bytes) {
    HF_ASSERT(bytes.size() == N, "whoever makes a secret has bytes of its size");
    std::memcpy(bytes_.data(), bytes.data(), N);
  }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret() { wipe(bytes_); }

  operator Bytes() const { return {bytes_.data(), N}; }
  MutableBytes bytes() { return bytes_; }

 private:
  std::array<char, N> bytes_{};
};

using Key = Secret<32>;

/// A password. Every copy wipes itself.
class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(Buffer text) : text_(std::move(text)) {}
  SecretText(const SecretText&) = default;
  SecretText(SecretText&& other) noexcept : text_(other.text_) { wipe(other.text_); }
  SecretText& operator=(SecretText other) noexcept {
    std::swap(text_, other.text_);
    return *this;
  }
  ~SecretText() { wipe(text_); }

  operator Bytes() const { return text_; }
  bool empty() const { return text_.empty(); }

 private:
  Buffer text_;
};

}  // namespace holdfast::wire
