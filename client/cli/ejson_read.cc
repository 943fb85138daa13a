#include <fmt/core.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "client/cli/base64.h"
#include "client/cli/ejson.h"
#include "client/cli/ejson_words.h"
#include "client/cli/iso_time.h"
#include "io/base/msgpack.h"

namespace holdfast::cli {
namespace {

using msgpack::Kind;
using msgpack::Value;

constexpr size_t kMaxNesting = 100;
/// Brackets that a value of the deepest level may need as text: {"$date": {"$numberLong": ...}}, and $literal around
/// each map.
constexpr size_t kMaxBrackets = 2 * kMaxNesting + 4;

constexpr size_t kMaxMessage = 200;

template <class T>
std::optional<T> number_from(std::string_view text) {
  T out{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// --- Maps that stand for something else ---

/// Turns the pairs of a map that begins with one of the words into what they stand for.
class Meaning {
 public:
  Meaning(Word word, uint32_t count, Bytes pairs) : word_(word), count_(count), pairs_(pairs) {}

  /// Appends the value, or says what the word needs.
  Result<> append(Buffer& out) {
    msgpack::Cursor in(pairs_);
    msgpack::Writer w(out);
    Value key;
    in.next(key);
    inner_ = in.raw();
    second_ = in.remaining() > 0 ? Bytes(pairs_).substr(pairs_.size() - in.remaining()) : Bytes();
    msgpack::Cursor(inner_).next(value_);
    if (count_ != 1 && !(word_ == Word::kBinary && count_ == 2)) return bad();
    switch (word_) {
      case Word::kNumberInt: return integer<int32_t>(w);
      case Word::kNumberLong: return integer<int64_t>(w);
      case Word::kNumberUnsigned: return unsigned_integer(w);
      case Word::kNumberDouble: return floating(w);
      case Word::kRawString: return base64(value_, [&](Bytes b) { w.string(b); });
      case Word::kBinary: return binary(w);
      case Word::kDate: return date(w);
      case Word::kTime: return time(w);
      case Word::kExtension: return extension(w);
      case Word::kLiteral:
      case Word::kNone: break;
    }
    if (value_.kind != Kind::kMap) return bad();
    w.raw(inner_);
    return {};
  }

 private:
  std::unexpected<Error> bad() const {
    constexpr std::string_view kForms[] = {
        "",
        R"({"$numberInt": "5"}, 32 bits)",
        R"({"$numberLong": "5"}, 64 bits)",
        R"({"$numberUnsigned": "5"}, 64 bits)",
        R"({"$numberDouble": "5.5"}, or NaN, Infinity, -Infinity)",
        R"({"$rawString": "base64"})",
        R"({"$binary": {"base64": "...", "subType": "00"}})",
        R"({"$date": "2026-01-31T12:00:00Z"} or {"$date": {"$numberLong": "milliseconds"}})",
        R"({"$time": {"seconds": "0", "nanoseconds": 0}})",
        R"({"$extension": {"type": 5, "base64": "..."}})",
        R"({"$literal": {...}})",
    };
    return fail(Code::kBadRequest, fmt::format("this must have the form {}", kForms[static_cast<size_t>(word_)]));
  }

  template <class T>
  Result<> integer(msgpack::Writer& w) {
    auto n = value_.kind == Kind::kString ? number_from<T>(value_.bytes) : std::nullopt;
    if (!n) return bad();
    w.integer(*n);
    return {};
  }

  Result<> unsigned_integer(msgpack::Writer& w) {
    auto n = value_.kind == Kind::kString ? number_from<uint64_t>(value_.bytes) : std::nullopt;
    if (!n) return bad();
    w.uint(*n);
    return {};
  }

  Result<> floating(msgpack::Writer& w) {
    if (value_.kind != Kind::kString) return bad();
    std::string_view s = value_.bytes;
    std::optional<double> d;
    if (s == "NaN")
      d = std::numeric_limits<double>::quiet_NaN();
    else if (s == "Infinity")
      d = std::numeric_limits<double>::infinity();
    else if (s == "-Infinity")
      d = -std::numeric_limits<double>::infinity();
    else if (s.find_first_of("nN") == s.npos)
      d = number_from<double>(s);  // from_chars takes "nan" and "inf" of its own
    if (!d) return bad();
    w.float64(*d);
    return {};
  }

  template <class F>
  Result<> base64(const Value& text, F write) {
    auto data = text.kind == Kind::kString ? from_base64(text.bytes) : std::nullopt;
    if (!data) return bad();
    write(*data);
    return {};
  }

  /// The value under `key` of the inner map, which has `count` keys.
  bool inner(std::string_view key, uint32_t count, Value& out) const {
    if (value_.kind != Kind::kMap || value_.count != count) return false;
    auto raw = msgpack::lookup(inner_, key);
    return raw && msgpack::Cursor(*raw).next(out);
  }

  static bool is_sub_type(const Value& v) {
    return v.kind == Kind::kString && !v.bytes.empty() && v.bytes.size() <= 2 &&
           v.bytes.find_first_not_of("0123456789abcdefABCDEF") == v.bytes.npos;
  }

  Result<> binary(msgpack::Writer& w) {
    Value data = value_, sub_type;
    if (count_ == 2) {
      msgpack::Cursor in(second_);
      Bytes key;
      if (!in.string(key) || key != "$type" || !in.next(sub_type)) return bad();
    } else if (!inner("base64", 2, data) || !inner("subType", 2, sub_type)) {
      return bad();
    }
    if (!is_sub_type(sub_type)) return bad();
    return base64(data, [&](Bytes b) { w.binary(b); });
  }

  Result<> date(msgpack::Writer& w) {
    if (value_.kind == Kind::kString) {
      auto t = from_iso(value_.bytes);
      if (!t) return bad();
      w.time(t->seconds, t->nanoseconds);
      return {};
    }
    // {"$numberLong": ...} has become an integer by now.
    bool fits = (value_.kind == Kind::kUint && value_.u <= INT64_MAX) || value_.kind == Kind::kInt;
    if (!fits) return bad();
    int64_t ms = value_.kind == Kind::kUint ? static_cast<int64_t>(value_.u) : value_.i;
    int64_t within = (ms % 1000 + 1000) % 1000;
    int64_t seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
    w.time(seconds, static_cast<uint32_t>(within * 1'000'000));
    return {};
  }

  Result<> time(msgpack::Writer& w) {
    Value seconds, nanoseconds;
    if (!inner("seconds", 2, seconds) || !inner("nanoseconds", 2, nanoseconds)) return bad();
    auto s = seconds.kind == Kind::kString ? number_from<int64_t>(seconds.bytes) : std::nullopt;
    if (!s || nanoseconds.kind != Kind::kUint || nanoseconds.u > 999'999'999) return bad();
    w.time(*s, static_cast<uint32_t>(nanoseconds.u));
    return {};
  }

  Result<> extension(msgpack::Writer& w) {
    Value type, data;
    if (!inner("type", 2, type) || !inner("base64", 2, data)) return bad();
    bool fits = (type.kind == Kind::kUint && type.u <= 127) || (type.kind == Kind::kInt && type.i >= -128);
    if (!fits) return bad();
    auto number = static_cast<int8_t>(type.kind == Kind::kUint ? static_cast<int64_t>(type.u) : type.i);
    return base64(data, [&](Bytes b) { w.extension(number, b); });
  }

  Word word_;
  uint32_t count_;
  Bytes pairs_;
  Bytes inner_;   ///< the word's value
  Bytes second_;  ///< the pairs after it
  Value value_;
};

// --- From events to MessagePack ---

/// Receives the parser's events and appends MessagePack. Containers get one byte for their head, which is widened at
/// their end.
class Builder {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  bool null() {
    return scalar([](auto& w) { w.nil(); });
  }
  bool boolean(bool v) {
    return scalar([v](auto& w) { w.boolean(v); });
  }
  bool number_integer(number_integer_t v) {
    return scalar([v](auto& w) { w.integer(v); });
  }
  bool number_unsigned(number_unsigned_t v) {
    return scalar([v](auto& w) { w.uint(v); });
  }
  bool number_float(number_float_t v, const string_t& text) {
    if (text.find_first_of(".eE") == text.npos)
      return refuse(fmt::format("the integer {} does not fit into 64 bits; write it as a string, or with an exponent",
                                text.size() > 40 ? text.substr(0, 40) + "..." : text));
    return scalar([v](auto& w) { w.float64(v); });
  }
  bool string(string_t& v) {
    return scalar([&v](auto& w) { w.string(v); });
  }
  bool binary(binary_t&) { return refuse("unexpected binary data"); }  // no JSON text has any

  bool start_object(size_t) { return open(true); }
  bool start_array(size_t) { return open(false); }

  bool key(string_t& v) {
    ++open_.back().count;
    size_t head = out_.size();
    msgpack::Writer(out_).string(v);
    keys_.push_back({head, out_.size() - v.size(), v.size()});
    return true;
  }

  bool end_array() {
    close(open_.back());
    open_.pop_back();
    return true;
  }

  bool end_object() {
    Open& o = open_.back();
    Word word = o.count > 0 ? word_of(text_of(keys_[o.first_key])) : Word::kNone;
    if (!keys_distinct(o)) return false;
    keys_.resize(o.first_key);
    if (word == Word::kNone || o.is_literal) {
      close(o);
    } else {
      Buffer meaning;
      auto done = Meaning(word, o.count, Bytes(out_).substr(o.at + 1)).append(meaning);
      if (!done) return refuse(done.error().message);
      out_.replace(o.at, Buffer::npos, meaning);
    }
    open_.pop_back();
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception& e) {
    position_ = position;
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...": the place is ours to say.
    std::string_view what = e.what();
    if (auto i = what.find("] "); i != what.npos) what.remove_prefix(i + 2);
    if (what.starts_with("parse error at"))
      if (auto i = what.find(": "); i != what.npos) what.remove_prefix(i + 2);
    return refuse(std::string(what));
  }

  Buffer take() { return std::move(out_); }
  const std::string& error() const { return error_; }
  /// Bytes that the parser had read when it failed; nothing when the failure was not the syntax's.
  std::optional<size_t> position() const { return position_; }

 private:
  struct Open {
    size_t at;  ///< where its head stands, one byte for now
    uint32_t count = 0;
    bool is_object = false;
    bool is_literal = false;  ///< the value of a $literal: its own first key means nothing
    size_t first_key = 0;
  };
  struct Key {
    size_t head;
    size_t at;
    size_t size;
  };

  bool refuse(std::string why) {
    error_ = std::move(why);
    if (error_.size() <= kMaxMessage) return false;
    // The parser quotes what it stumbled over, however long. Cut between characters.
    size_t end = kMaxMessage;
    while (end > 0 && (error_[end] & 0xc0) == 0x80) --end;
    error_.resize(end);
    error_ += "...";
    return false;
  }

  std::string_view text_of(const Key& k) const { return std::string_view(out_).substr(k.at, k.size); }

  void count_element() {
    if (!open_.empty() && !open_.back().is_object) ++open_.back().count;
  }

  template <class F>
  bool scalar(F write) {
    count_element();
    msgpack::Writer w(out_);
    write(w);
    return true;
  }

  bool open(bool is_object) {
    count_element();
    if (open_.size() == kMaxBrackets) return refuse(fmt::format("nested deeper than {} levels", kMaxNesting));
    bool is_literal = is_object && !open_.empty() && holds_a_literal(open_.back());
    open_.push_back({.at = out_.size(), .is_object = is_object, .is_literal = is_literal, .first_key = keys_.size()});
    out_ += '\0';
    return true;
  }

  void close(const Open& o) {
    Buffer head;
    if (o.is_object)
      msgpack::Writer(head).map(o.count);
    else
      msgpack::Writer(head).array(o.count);
    out_.replace(o.at, 1, head);
  }

  bool holds_a_literal(const Open& o) const {
    return o.is_object && !o.is_literal && o.count == 1 && word_of(text_of(keys_[o.first_key])) == Word::kLiteral;
  }

  bool keys_distinct(const Open& o) {
    auto first = keys_.begin() + static_cast<ptrdiff_t>(o.first_key);
    if (keys_.end() - first < 2) return true;
    std::sort(first, keys_.end(), [this](const Key& a, const Key& b) { return text_of(a) < text_of(b); });
    auto twin =
        std::adjacent_find(first, keys_.end(), [this](const Key& a, const Key& b) { return text_of(a) == text_of(b); });
    if (twin == keys_.end()) return true;
    return refuse(fmt::format("the key \"{}\" comes twice in one object", text_of(*twin)));
  }

  Buffer out_;
  std::vector<Open> open_;
  std::vector<Key> keys_;  ///< of all open objects, outermost first
  std::string error_;
  std::optional<size_t> position_;
};

std::unexpected<Error> failure(std::string_view text, uint64_t first_line, const Builder& builder) {
  if (!builder.position()) return fail(Code::kBadRequest, fmt::format("line {}: {}", first_line, builder.error()));
  std::string_view before = text.substr(0, std::min(*builder.position(), text.size()));
  uint64_t line = first_line + static_cast<uint64_t>(std::count(before.begin(), before.end(), '\n'));
  size_t line_start = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
  return fail(Code::kBadRequest,
              fmt::format("line {}, column {}: {}", line, before.size() - line_start, builder.error()));
}

}  // namespace

Result<Buffer> from_json(std::string_view text, uint64_t first_line) {
  if (text.find_first_not_of(" \t\r\n") == text.npos)
    return fail(Code::kBadRequest, fmt::format("line {}: there is no JSON here", first_line));
  Builder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return failure(text, first_line, builder);
  Buffer out = builder.take();
  if (auto depth = msgpack::validate(out, {.max_depth = kMaxNesting, .distinct_keys = false}); !depth)
    return fail(Code::kBadRequest, fmt::format("line {}: nested deeper than {} levels", first_line, kMaxNesting));
  return out;
}

}  // namespace holdfast::cli
