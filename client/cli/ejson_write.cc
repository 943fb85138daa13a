#include <fmt/core.h>

#include <cmath>

#include "client/cli/base64.h"
#include "client/cli/ejson.h"
#include "client/cli/ejson_words.h"
#include "client/cli/iso_time.h"
#include "io/base/msgpack.h"
#include "io/base/utf8.h"

namespace holdfast::cli {
namespace {

using msgpack::Kind;
using msgpack::Value;

constexpr int kMaxNesting = 200;

void append_string(std::string& out, Bytes text) {
  out += '"';
  size_t clean = 0;  // everything before it is written
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (static_cast<uint8_t>(c) >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
    out += text.substr(clean, i - clean);
    clean = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default: out += fmt::format("\\u{:04x}", static_cast<uint8_t>(c));
    }
  }
  out += text.substr(clean);
  out += '"';
}

std::string float_text(double d) {
  if (std::isnan(d)) return R"({"$numberDouble":"NaN"})";
  if (std::isinf(d)) return d > 0 ? R"({"$numberDouble":"Infinity"})" : R"({"$numberDouble":"-Infinity"})";
  std::string out = fmt::format("{}", d);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

std::string time_text(Instant t) {
  if (auto iso = to_iso(t)) return fmt::format(R"({{"$date":"{}"}})", *iso);
  constexpr int64_t kMaxSeconds = INT64_MAX / 1000 - 1;
  if (t.nanoseconds % 1'000'000 == 0 && t.seconds > -kMaxSeconds && t.seconds < kMaxSeconds)
    return fmt::format(R"({{"$date":{{"$numberLong":"{}"}}}})", t.seconds * 1000 + t.nanoseconds / 1'000'000);
  return fmt::format(R"({{"$time":{{"seconds":"{}","nanoseconds":{}}}}})", t.seconds, t.nanoseconds);
}

class Printer {
 public:
  Printer(Bytes in, bool pretty) : in_(in), pretty_(pretty) {}

  Result<std::string> all() {
    HF_CHECK_OK(value(0));
    if (!in_.at_end()) return fail(Code::kBadRequest, "bytes follow the MessagePack value");
    return std::move(out_);
  }

 private:
  static std::unexpected<Error> bad() { return fail(Code::kBadRequest, "these bytes are no MessagePack document"); }

  Result<> value(int depth) {
    Value v;
    if (!in_.next(v)) return bad();
    switch (v.kind) {
      case Kind::kNil: out_ += "null"; return {};
      case Kind::kBool: out_ += v.boolean ? "true" : "false"; return {};
      case Kind::kUint:
        out_ += v.u <= INT64_MAX ? fmt::format("{}", v.u) : fmt::format(R"({{"$numberUnsigned":"{}"}})", v.u);
        return {};
      case Kind::kInt: out_ += fmt::format("{}", v.i); return {};
      case Kind::kFloat: out_ += float_text(v.f); return {};
      case Kind::kString:
        if (is_utf8(v.bytes))
          append_string(out_, v.bytes);
        else
          out_ += fmt::format(R"({{"$rawString":"{}"}})", to_base64(v.bytes));
        return {};
      case Kind::kBinary:
        out_ += fmt::format(R"({{"$binary":{{"base64":"{}","subType":"00"}}}})", to_base64(v.bytes));
        return {};
      case Kind::kTime: out_ += time_text({v.i, v.nanoseconds}); return {};
      case Kind::kExtension:
        out_ += fmt::format(R"({{"$extension":{{"type":{},"base64":"{}"}}}})", v.extension_type, to_base64(v.bytes));
        return {};
      case Kind::kArray: return array(v.count, depth + 1);
      case Kind::kMap: return map(v.count, depth + 1);
    }
    return bad();
  }

  Result<> array(uint32_t count, int depth) {
    if (depth > kMaxNesting) return bad();
    out_ += '[';
    for (uint32_t i = 0; i < count; ++i) {
      separate(i, depth);
      HF_CHECK_OK(value(depth));
    }
    close(count, depth, ']');
    return {};
  }

  Result<> map(uint32_t count, int depth) {
    if (depth > kMaxNesting) return bad();
    bool literal = false;
    size_t start = out_.size();
    out_ += '{';
    for (uint32_t i = 0; i < count; ++i) {
      separate(i, depth);
      Bytes key;
      if (!in_.string(key) || !is_utf8(key)) return bad();
      literal = literal || (i == 0 && word_of(key) != Word::kNone);
      append_string(out_, key);
      out_ += pretty_ ? ": " : ":";
      HF_CHECK_OK(value(depth));
    }
    close(count, depth, '}');
    if (literal) {
      out_.insert(start, pretty_ ? R"({"$literal": )" : R"({"$literal":)");
      out_ += '}';
    }
    return {};
  }

  void separate(uint32_t i, int depth) {
    if (i > 0) out_ += ',';
    if (pretty_) new_line(depth);
  }
  void close(uint32_t count, int depth, char bracket) {
    if (pretty_ && count > 0) new_line(depth - 1);
    out_ += bracket;
  }
  void new_line(int depth) {
    out_ += '\n';
    out_.append(2 * static_cast<size_t>(depth), ' ');
  }

  msgpack::Cursor in_;
  bool pretty_;
  std::string out_;
};

}  // namespace

Result<std::string> to_json(Bytes value) { return Printer(value, false).all(); }
Result<std::string> to_pretty_json(Bytes value) { return Printer(value, true).all(); }

}  // namespace holdfast::cli
