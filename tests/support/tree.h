// Values as trees: what tests write down, generate, decode and compare. Slow and simple on purpose; shares nothing with
// core but the cursor.
//
// The text form is JSON with these liberties: keys that are plain words need no quotes; strings take ' or "; 5 is the
// shortest integer, 5.0 a 64-bit float; u8(5) u16 u32 u64, i8(-5) i16 i32 i64, f32(1.5), f64(1e300) choose a width;
// nan, inf, -inf; bin('ab'), ext(5,'ab'), time(seconds,nanoseconds).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/base/msgpack.h"
#include "io/base/random.h"

namespace holdfast::test {

struct Tree {
  struct Field;

  Tree();  ///< null
  Tree(const Tree&);
  Tree(Tree&&) noexcept;
  Tree& operator=(const Tree&);
  Tree& operator=(Tree&&) noexcept;
  ~Tree();

  msgpack::Kind kind = msgpack::Kind::kNil;
  Buffer raw{'\xc0'};      ///< of a scalar: its encoding
  long double number = 0;  ///< kUint, kInt, kFloat: the exact value (64 bits of mantissa hold every one)
  bool boolean = false;
  std::string text;  ///< kString, kBinary, kExtension: the payload
  int extension_type = 0;
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
  std::vector<Tree> items;    ///< kArray
  std::vector<Field> fields;  ///< kMap

  bool is_map() const { return kind == msgpack::Kind::kMap; }
  bool is_array() const { return kind == msgpack::Kind::kArray; }
  bool is_number() const {
    return kind == msgpack::Kind::kUint || kind == msgpack::Kind::kInt || kind == msgpack::Kind::kFloat;
  }
  Tree* field(std::string_view name);
  const Tree* field(std::string_view name) const { return const_cast<Tree*>(this)->field(name); }
};

struct Tree::Field {
  std::string first;
  Tree second;
};

/// A scalar from its encoding, or a whole tree. Aborts the test run on malformed bytes.
Tree decode(Bytes bytes);
/// Scalars as they came; heads of maps and arrays in their shortest form.
Buffer encode(const Tree& tree);
Tree parse(std::string_view text);
/// encode(parse(text)).
Buffer mp(std::string_view text);
/// For messages: the text form, with widths where they are not the usual ones.
std::string show(const Tree& tree);
std::string show(Bytes bytes);

/// The order of values, written down once more: negative, zero or positive.
int naive_compare(const Tree& a, const Tree& b);

/// A dotted path's parts.
std::vector<std::string> split(const std::string& path);

/// Random values over small alphabets, so that equal values, paths that exist and conflicts are frequent.
struct TreeGenerator {
  Rng rng;

  Tree scalar();
  Tree value(int depth);
  Tree map(int depth);
  std::string name();
  std::string path();
  /// Often a path that leads somewhere in `map`, and what is there; else any path with some value of the map.
  std::pair<std::string, Tree> chance_path(const Tree& map);
  /// The same value with numbers in other widths, where they fit.
  Tree rewidth(const Tree& tree);
  /// A random value inside `tree`, or itself.
  const Tree& part(const Tree& tree);
};

}  // namespace holdfast::test
