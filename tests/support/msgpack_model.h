// A MessagePack value as a tree, and three ways to write any encoding as text: from the tree, from our cursor, from
// msgpack-cxx. Two encodings mean the same when their texts are equal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/base/bytes.h"
#include "io/base/msgpack.h"

namespace holdfast::test {

struct Model {
  msgpack::Kind kind = msgpack::Kind::kNil;
  uint64_t number = 0;       ///< kBool, kUint; kInt as two's complement; kFloat as bits of a double; kTime: seconds
  uint32_t nanoseconds = 0;  ///< kTime
  int8_t extension_type = 0;
  std::string bytes;         ///< kString, kBinary, kExtension
  std::vector<Model> items;  ///< kArray: elements; kMap: key, value, key, value ...
};

/// What one value is in text, and how many bytes its encoding took.
struct Rendered {
  std::string text;
  size_t size = 0;
  bool operator==(const Rendered&) const = default;
};

std::string render(const Model& value);
Buffer encode(const Model& value);

/// By our cursor; nothing when `in` does not begin with a well-formed value.
std::optional<Rendered> render_by_cursor(Bytes in);

// By msgpack-cxx, the oracle (msgpack_oracle.cc, the only unit that includes it).
std::optional<Rendered> render_by_oracle(Bytes in);
Buffer encode_by_oracle(const Model& value);

/// The texts of single values, shared by all three.
class Renderer {
 public:
  void nil() { out_ += "nil "; }
  void boolean(bool v) { out_ += v ? "true " : "false "; }
  void uint(uint64_t v) { out_ += "u" + std::to_string(v) + " "; }
  void integer(int64_t v) { v < 0 ? void(out_ += "i" + std::to_string(v) + " ") : uint(static_cast<uint64_t>(v)); }
  void float64(double v) { out_ += v != v ? "nan " : "f" + std::to_string(std::bit_cast<uint64_t>(v)) + " "; }
  void payload(char mark, Bytes b) { out_ += mark + std::to_string(b.size()) + ":" + std::string(b) + " "; }
  void extension(int8_t type, Bytes b) { payload('x', b), out_ += "/" + std::to_string(type) + " "; }
  void time(int64_t s, uint32_t ns) { out_ += "t" + std::to_string(s) + "." + std::to_string(ns) + " "; }
  void container(char mark, uint64_t count) { out_ += mark + std::to_string(count) + " "; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace holdfast::test
