#include "core/regex.h"

#include <re2/re2.h>

#include "core/path.h"

namespace holdfast::core {
namespace {

constexpr int64_t kMemory = 4 << 20;  // of the compiled form and the states made while matching

/// What option x leaves: without blanks and comments, but for those that are escaped or stand in a class.
std::string without_blanks(Bytes pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      out += c;
      out += pattern[++i];
    } else if (in_class) {
      in_class = c != ']';
      out += c;
    } else if (c == '#') {
      while (i + 1 < pattern.size() && pattern[i] != '\n') ++i;
    } else if (c != ' ' && (c < '\t' || c > '\r')) {
      in_class = c == '[';
      out += c;
      // A bracket that comes first stands for itself.
      if (in_class && i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (in_class && i + 1 < pattern.size() && pattern[i + 1] == ']') out += pattern[++i];
    }
  }
  return out;
}

}  // namespace

Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(Bytes pattern, Bytes options) {
  if (pattern.size() > kMaxPattern)
    return fail(Code::kTooLarge, "the expression has more than " + std::to_string(kMaxPattern) + " bytes");
  re2::RE2::Options o;
  o.set_log_errors(false);
  o.set_max_mem(kMemory);
  std::string flags;
  bool blanks = false;
  for (char c : options) {
    if (c == 'x')
      blanks = true;
    else if (c == 'i' || c == 'm' || c == 's')
      flags += c;
    else
      return fail(Code::kBadRequest, "there is no option '" + Path::shown(Bytes(&c, 1)) + "', only i, m, s and x");
  }
  std::string text = blanks ? without_blanks(pattern) : std::string(pattern);
  if (!flags.empty()) text = "(?" + flags + ")" + text;
  Regex out;
  out.re_ = std::make_unique<re2::RE2>(text, o);
  if (!out.re_->ok()) {
    using re2::RE2;
    RE2::ErrorCode why = out.re_->error_code();
    if (why == RE2::ErrorPatternTooLarge) return fail(Code::kTooLarge, "the expression is too large");
    bool perl = why == RE2::ErrorBadPerlOp || why == RE2::ErrorBadEscape;
    return fail(perl ? Code::kUnsupported : Code::kBadRequest,
                out.re_->error() + (perl ? " (backreferences, lookaround and possessive repetition are not supported)" : ""));
  }
  if (out.re_->ProgramSize() > kMaxProgram) return fail(Code::kTooLarge, "the expression is too large: use smaller repetitions");
  return out;
}

Regex::Found Regex::find_in(Bytes text) const {
  if (static_cast<uint64_t>(re_->ProgramSize()) * text.size() > kMaxSteps) return Found::kTooCostly;
  return re_->Match({text.data(), text.size()}, 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0) ? Found::kYes : Found::kNo;
}

}  // namespace holdfast::core
