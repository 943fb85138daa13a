// Regular expressions for queries: found in time linear in the text, whatever the expression.
//
// The syntax is RE2's (github.com/google/re2, "Syntax"), which is Perl's without what needs backtracking: backreferences and lookaround are
// refused. Text is UTF-8. Pure; immutable after compile(), may be shared by any cores.
#pragma once

#include <memory>

#include "io/base/bytes.h"
#include "io/base/error.h"

namespace re2 {
class RE2;
}

namespace holdfast::core {

class Regex {
 public:
  static constexpr size_t kMaxPattern = 32 << 10;     ///< bytes
  static constexpr int kMaxProgram = 5'000;           ///< instructions that the expression compiles to
  static constexpr uint64_t kMaxSteps = 1ULL << 28;   ///< instructions times bytes, for one text

  /// `options`: letters of "imsx": ignore case; ^ and $ at every line; . matches newlines; blanks and comments in the pattern count for nothing.
  /// Errors: kBadRequest, kUnsupported, kTooLarge, saying what is wrong with the expression.
  static Result<Regex> compile(Bytes pattern, Bytes options);

  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  enum class Found : uint8_t { kNo, kYes, kTooCostly };
  /// kTooCostly: the text is so long that the expression might take more than kMaxSteps.
  Found find_in(Bytes text) const;

 private:
  Regex() = default;
  std::unique_ptr<re2::RE2> re_;
};

}  // namespace holdfast::core
