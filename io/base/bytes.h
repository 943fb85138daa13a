// Bytes and buffers: the two vocabulary types for raw data, and fixed-width integers in them.
//
// `Bytes` is a borrowed, read-only run of bytes; whoever hands it out says how long it lives. `Buffer` owns its bytes.
// Both are the standard string types: they hash, compare and append well, and MessagePack strings need no conversion.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace holdfast {

using Bytes = std::string_view;
using Buffer = std::string;
using MutableBytes = std::span<char>;

/// Grows `b` by `n` bytes without clearing them and returns where they start. The caller writes every one of them.
inline char* grow(Buffer& b, size_t n) {
  size_t old = b.size();
  if (b.capacity() < old + n) b.reserve(old + n > 2 * b.capacity() ? old + n : 2 * b.capacity());
  b.resize_and_overwrite(old + n, [](char*, size_t size) { return size; });
  return b.data() + old;
}

// Little endian is the byte order of everything Holdfast stores; big endian is that of frames and MessagePack.

template <std::unsigned_integral T>
T load_le(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  if constexpr (std::endian::native == std::endian::big) v = std::byteswap(v);
  return v;
}

template <std::unsigned_integral T>
void store_le(char* p, T v) {
  if constexpr (std::endian::native == std::endian::big) v = std::byteswap(v);
  std::memcpy(p, &v, sizeof v);
}

template <std::unsigned_integral T>
T load_be(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  if constexpr (std::endian::native == std::endian::little) v = std::byteswap(v);
  return v;
}

template <std::unsigned_integral T>
void store_be(char* p, T v) {
  if constexpr (std::endian::native == std::endian::little) v = std::byteswap(v);
  std::memcpy(p, &v, sizeof v);
}

template <std::unsigned_integral T>
void append_le(Buffer& b, T v) {
  store_le(grow(b, sizeof v), v);
}

template <std::unsigned_integral T>
void append_be(Buffer& b, T v) {
  store_be(grow(b, sizeof v), v);
}

/// Reads fixed-width little-endian fields from the front of a run of bytes. Once a read runs past the end, `ok()` is
/// false for good and every later read yields zero: parse first, ask once.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T le() {
    if (!has(sizeof(T))) return 0;
    T v = load_le<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return v;
  }

  /// The next `n` bytes, borrowed from the input; empty when there are fewer.
  Bytes take(size_t n) {
    if (!has(n)) return {};
    Bytes out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }

  bool ok() const { return ok_; }
  Bytes rest() const { return rest_; }

 private:
  bool has(size_t n) {
    if (ok_ && rest_.size() >= n) return true;
    ok_ = false;
    return false;
  }

  Bytes rest_;
  bool ok_ = true;
};

}  // namespace holdfast
