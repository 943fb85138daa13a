#include "tests/support/tree.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "io/base/assert.h"

namespace holdfast::test {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using msgpack::Writer;

Tree::Tree() = default;
Tree::Tree(const Tree&) = default;
Tree::Tree(Tree&&) noexcept = default;
Tree& Tree::operator=(const Tree&) = default;
Tree& Tree::operator=(Tree&&) noexcept = default;
Tree::~Tree() = default;

Tree* Tree::field(std::string_view name) {
  auto it = std::ranges::find(fields, name, &Field::first);
  return it == fields.end() ? nullptr : &it->second;
}

namespace {

Tree decode_next(Cursor& c) {
  Tree t;
  Cursor before = c;
  Value v;
  HF_ASSERT(c.next(v), "tests decode well-formed bytes");
  t.kind = v.kind;
  t.raw = v.is_container() ? Buffer() : Buffer(before.raw());
  t.boolean = v.kind == Kind::kBool && v.boolean;
  if (v.kind == Kind::kUint) t.number = static_cast<long double>(v.u);
  if (v.kind == Kind::kInt) t.number = static_cast<long double>(v.i);
  if (v.kind == Kind::kFloat) t.number = static_cast<long double>(v.f);
  if (v.kind == Kind::kString || v.kind == Kind::kBinary || v.kind == Kind::kExtension) t.text = v.bytes;
  if (v.kind == Kind::kExtension) t.extension_type = v.extension_type;
  if (v.kind == Kind::kTime) t.seconds = v.i, t.nanoseconds = v.nanoseconds;
  for (uint32_t i = 0; v.kind == Kind::kArray && i < v.count; ++i) t.items.push_back(decode_next(c));
  for (uint32_t i = 0; v.kind == Kind::kMap && i < v.count; ++i) {
    Bytes key;
    HF_ASSERT(c.string(key), "tests decode well-formed bytes");
    t.fields.emplace_back(std::string(key), decode_next(c));
  }
  return t;
}

void encode_to(Writer& w, const Tree& t) {
  if (t.is_map()) {
    w.map(static_cast<uint32_t>(t.fields.size()));
    for (auto& [name, value] : t.fields) {
      w.string(name);
      encode_to(w, value);
    }
  } else if (t.is_array()) {
    w.array(static_cast<uint32_t>(t.items.size()));
    for (auto& item : t.items) encode_to(w, item);
  } else {
    w.raw(t.raw);
  }
}

template <class T>
Buffer wide(char head, T v) {
  Buffer b{head};
  append_be(b, v);
  return b;
}

template <class Write>
Tree written(Write write) {
  Buffer b;
  Writer w(b);
  write(w);
  return decode(b);
}

class Parser {
 public:
  explicit Parser(std::string_view in) : in_(in) {}

  Tree all() {
    Tree t = value();
    space();
    HF_ASSERT(in_.empty(), "a test's value has nothing behind it");
    return t;
  }

 private:
  void space() {
    while (!in_.empty() && in_.front() == ' ') in_.remove_prefix(1);
  }
  bool take(char c) {
    space();
    if (in_.empty() || in_.front() != c) return false;
    in_.remove_prefix(1);
    return true;
  }
  void need(char c) { HF_ASSERT(take(c), "a test's value is in the text form"); }
  std::string word() {
    space();
    size_t n = 0;
    while (n < in_.size() &&
           (std::isalnum(static_cast<unsigned char>(in_[n])) || std::string_view("_$.+-").contains(in_[n])))
      ++n;
    std::string s(in_.substr(0, n));
    in_.remove_prefix(n);
    return s;
  }
  bool at_string() {
    space();
    return !in_.empty() && (in_.front() == '\'' || in_.front() == '"');
  }
  std::string string() {
    char quote = in_.front();
    size_t end = in_.find(quote, 1);
    std::string s(in_.substr(1, end - 1));
    in_.remove_prefix(end + 1);
    return s;
  }

  Tree value() {
    if (take('{')) return map();
    if (take('[')) return array();
    if (at_string()) return written([&](Writer& w) { w.string(string()); });
    std::string w = word();
    if (take('(')) return typed(w);
    if (w == "null") return Tree();
    if (w == "true" || w == "false") return written([&](Writer& out) { out.boolean(w == "true"); });
    if (w.ends_with("nan") || w.ends_with("inf") || w.find_first_of(".e") != std::string::npos)
      return written([&](Writer& out) { out.float64(std::strtod(w.c_str(), nullptr)); });
    if (w.starts_with('-')) return written([&](Writer& out) { out.integer(std::strtoll(w.c_str(), nullptr, 10)); });
    return written([&](Writer& out) { out.uint(std::strtoull(w.c_str(), nullptr, 10)); });
  }

  Tree map() {
    Tree t;
    t.kind = Kind::kMap;
    while (!take('}')) {
      std::string key = at_string() ? string() : word();
      need(':');
      t.fields.emplace_back(key, value());
      take(',');
    }
    return t;
  }

  Tree array() {
    Tree t;
    t.kind = Kind::kArray;
    while (!take(']')) {
      t.items.push_back(value());
      take(',');
    }
    return t;
  }

  Tree typed(const std::string& type) {
    Tree t = at_string() ? written([&](Writer& w) { type == "bin" ? w.binary(string()) : w.string(string()); })
                         : number(type);
    need(')');
    return t;
  }

  Tree number(const std::string& type) {
    std::string w = word();
    auto u = w.starts_with('-') ? static_cast<uint64_t>(std::strtoll(w.c_str(), nullptr, 10))
                                : std::strtoull(w.c_str(), nullptr, 10);
    if (type == "f32") return decode(wide('\xca', std::bit_cast<uint32_t>(std::strtof(w.c_str(), nullptr))));
    if (type == "f64") return decode(wide('\xcb', std::bit_cast<uint64_t>(std::strtod(w.c_str(), nullptr))));
    if (type == "u8") return decode(wide('\xcc', static_cast<uint8_t>(u)));
    if (type == "u16") return decode(wide('\xcd', static_cast<uint16_t>(u)));
    if (type == "u32") return decode(wide('\xce', static_cast<uint32_t>(u)));
    if (type == "u64") return decode(wide('\xcf', u));
    if (type == "i8") return decode(wide('\xd0', static_cast<uint8_t>(u)));
    if (type == "i16") return decode(wide('\xd1', static_cast<uint16_t>(u)));
    if (type == "i32") return decode(wide('\xd2', static_cast<uint32_t>(u)));
    if (type == "i64") return decode(wide('\xd3', u));
    need(',');
    if (type == "ext") {
      space();
      return written([&](Writer& out) { out.extension(static_cast<int8_t>(u), string()); });
    }
    HF_ASSERT(type == "time", "a test's value is in the text form");
    auto nanoseconds = static_cast<uint32_t>(std::strtoul(word().c_str(), nullptr, 10));
    return written([&](Writer& out) { out.time(static_cast<int64_t>(u), nanoseconds); });
  }

  std::string_view in_;
};

}  // namespace

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts(1);
  for (char c : path) {
    if (c == '.')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

Tree decode(Bytes bytes) {
  Cursor c(bytes);
  Tree t = decode_next(c);
  HF_ASSERT(c.at_end(), "tests decode one value");
  return t;
}

Buffer encode(const Tree& tree) {
  Buffer b;
  Writer w(b);
  encode_to(w, tree);
  return b;
}

Tree parse(std::string_view text) { return Parser(text).all(); }
Buffer mp(std::string_view text) { return encode(parse(text)); }

std::string show(const Tree& t) {
  switch (t.kind) {
    case Kind::kNil:
      return "null";
    case Kind::kBool:
      return t.boolean ? "true" : "false";
    case Kind::kString:
      return "'" + t.text + "'";
    case Kind::kBinary:
      return "bin('" + t.text + "')";
    case Kind::kExtension:
      return "ext(" + std::to_string(t.extension_type) + ",'" + t.text + "')";
    case Kind::kTime:
      return "time(" + std::to_string(t.seconds) + "," + std::to_string(t.nanoseconds) + ")";
    case Kind::kUint:
    case Kind::kInt:
    case Kind::kFloat: {
      char head[8], number[64];
      std::snprintf(head, sizeof head, "%02x:", static_cast<unsigned char>(t.raw[0]));
      std::snprintf(number, sizeof number, t.kind == Kind::kFloat ? "%.17Lg" : "%.0Lf", t.number);
      return (t.raw.size() == 1 ? "" : head) + std::string(number);
    }
    case Kind::kArray: {
      std::string s = "[";
      for (auto& item : t.items) s += (s.size() > 1 ? ", " : "") + show(item);
      return s + "]";
    }
    case Kind::kMap: {
      std::string s = "{";
      for (auto& [name, value] : t.fields) s += (s.size() > 1 ? ", '" : "'") + name + "': " + show(value);
      return s + "}";
    }
  }
  return "?";
}

std::string show(Bytes bytes) { return show(decode(bytes)); }

namespace {

int type_number(const Tree& t) {
  if (t.is_number()) return 1;
  constexpr Kind kOrder[] = {Kind::kNil,    Kind::kUint, Kind::kString, Kind::kMap,      Kind::kArray,
                             Kind::kBinary, Kind::kBool, Kind::kTime,   Kind::kExtension};
  return static_cast<int>(std::ranges::find(kOrder, t.kind) - kOrder);
}

template <class T>
int three_way(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

int compare_bytes(const std::string& a, const std::string& b) {
  size_t n = std::min(a.size(), b.size());
  for (size_t i = 0; i < n; ++i)
    if (a[i] != b[i]) return three_way(static_cast<unsigned char>(a[i]), static_cast<unsigned char>(b[i]));
  return three_way(a.size(), b.size());
}

}  // namespace

int naive_compare(const Tree& a, const Tree& b) {
  if (int o = three_way(type_number(a), type_number(b))) return o;
  if (a.is_number()) {
    if (std::isnan(a.number) || std::isnan(b.number)) return three_way(!std::isnan(a.number), !std::isnan(b.number));
    return three_way(a.number, b.number);
  }
  switch (a.kind) {
    case Kind::kString:
      return compare_bytes(a.text, b.text);
    case Kind::kBool:
      return three_way(a.boolean, b.boolean);
    case Kind::kTime:
      return three_way(std::pair(a.seconds, a.nanoseconds), std::pair(b.seconds, b.nanoseconds));
    case Kind::kExtension:
    case Kind::kBinary:
      if (int o = three_way(a.extension_type, b.extension_type)) return o;
      if (int o = three_way(a.text.size(), b.text.size())) return o;
      return compare_bytes(a.text, b.text);
    case Kind::kArray:
      for (size_t i = 0; i < std::min(a.items.size(), b.items.size()); ++i)
        if (int o = naive_compare(a.items[i], b.items[i])) return o;
      return three_way(a.items.size(), b.items.size());
    case Kind::kMap:
      for (size_t i = 0; i < std::min(a.fields.size(), b.fields.size()); ++i) {
        auto& [name_a, value_a] = a.fields[i];
        auto& [name_b, value_b] = b.fields[i];
        if (int o = three_way(type_number(value_a), type_number(value_b))) return o;
        if (int o = compare_bytes(name_a, name_b)) return o;
        if (int o = naive_compare(value_a, value_b)) return o;
      }
      return three_way(a.fields.size(), b.fields.size());
    default:
      return 0;
  }
}

Tree TreeGenerator::scalar() {
  static const std::vector<Tree> kScalars = [] {
    std::vector<Tree> all;
    for (const char* text : {"null",
                             "true",
                             "false",
                             "0",
                             "1",
                             "2",
                             "i64(1)",
                             "u32(2)",
                             "1.0",
                             "f32(1.0)",
                             "0.5",
                             "-0.0",
                             "-1",
                             "i32(-1)",
                             "-1.0",
                             "-1.5",
                             "9007199254740992",
                             "9007199254740993",
                             "9007199254740992.0",
                             "-9007199254740993",
                             "-9007199254740992.0",
                             "9223372036854775807",
                             "9223372036854775808",
                             "u64(18446744073709551615)",
                             "9223372036854775808.0",
                             "18446744073709551616.0",
                             "i64(-9223372036854775808)",
                             "i64(-9223372036854775807)",
                             "-9223372036854775808.0",
                             "nan",
                             "f32(nan)",
                             "inf",
                             "-inf",
                             "1e300",
                             "''",
                             "'a'",
                             "'b'",
                             "'ab'",
                             "bin('')",
                             "bin('a')",
                             "bin('b')",
                             "bin('aa')",
                             "time(0,0)",
                             "time(0,1)",
                             "time(-1,5)",
                             "time(17179869184,0)",
                             "ext(5,'a')",
                             "ext(-1,'ab')"})
      all.push_back(parse(text));
    return all;
  }();
  // Half of the draws come from the front, where collisions are wanted.
  return kScalars[rng.chance(1, 2) ? rng.below(8) : rng.below(kScalars.size())];
}

std::string TreeGenerator::name() {
  constexpr const char* kNames[] = {"a", "b", "c", "0", "1", "2"};
  return kNames[rng.chance(2, 3) ? rng.below(3) : rng.below(6)];
}

std::string TreeGenerator::path() {
  std::string p = name();
  while (rng.chance(1, 2)) p += "." + name();
  return p;
}

std::pair<std::string, Tree> TreeGenerator::chance_path(const Tree& map) {
  if (map.fields.empty() || rng.chance(1, 4)) return {path(), part(map)};
  std::string p;
  const Tree* t = &map;
  while (true) {
    if (t->is_map() && !t->fields.empty()) {
      const Tree::Field& f = t->fields[rng.below(t->fields.size())];
      p += (p.empty() ? "" : ".") + f.first;
      t = &f.second;
    } else if (t->is_array() && !t->items.empty()) {
      // Through an array by position, or implicitly, as far as the latter leads on.
      size_t i = rng.below(t->items.size());
      if (!t->items[i].is_map() || rng.chance(1, 2)) p += "." + std::to_string(i);
      t = &t->items[i];
    } else {
      return {p, *t};
    }
    if (rng.chance(1, 3)) return {p, rng.chance(1, 2) ? *t : part(*t)};
  }
}

Tree TreeGenerator::map(int depth) {
  Tree t;
  t.kind = Kind::kMap;
  for (uint64_t n = rng.below(4); n > 0; --n) {
    std::string key = name();
    if (!t.field(key)) t.fields.emplace_back(key, value(depth - 1));
  }
  return t;
}

Tree TreeGenerator::value(int depth) {
  if (depth <= 0 || rng.chance(1, 3)) return scalar();
  if (rng.chance(1, 2)) return map(depth);
  Tree t;
  t.kind = Kind::kArray;
  for (uint64_t n = rng.below(4); n > 0; --n) t.items.push_back(value(depth - 1));
  return t;
}

Tree TreeGenerator::rewidth(const Tree& tree) {
  Tree t = tree;
  for (auto& item : t.items) item = rewidth(item);
  for (auto& [name, value] : t.fields) value = rewidth(value);
  if (!t.is_number() || std::isnan(t.number)) return t;
  if (rng.chance(1, 3) && static_cast<long double>(static_cast<double>(t.number)) == t.number)
    return decode(wide('\xcb', std::bit_cast<uint64_t>(static_cast<double>(t.number))));
  bool whole = std::abs(t.number) < 18446744073709551616.0L && std::floor(t.number) == t.number;
  if (rng.chance(1, 2) && whole && t.number >= 0) return decode(wide('\xcf', static_cast<uint64_t>(t.number)));
  if (whole && t.number >= -9223372036854775808.0L && t.number < 9223372036854775808.0L)
    return decode(wide('\xd3', static_cast<uint64_t>(static_cast<int64_t>(t.number))));
  return t;
}

const Tree& TreeGenerator::part(const Tree& tree) {
  const Tree* t = &tree;
  while (rng.chance(2, 3)) {
    if (t->is_map() && !t->fields.empty())
      t = &t->fields[rng.below(t->fields.size())].second;
    else if (t->is_array() && !t->items.empty())
      t = &t->items[rng.below(t->items.size())];
    else
      break;
  }
  return *t;
}

}  // namespace holdfast::test
