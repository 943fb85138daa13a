// The compiled form of a query; see query.h. For the sources of Query alone.
#pragma once

#include "core/query.h"

namespace holdfast::core {

/// Of one evaluation.
struct QueryRun {
  bool too_costly = false;  ///< a regular expression was not looked for: the answer means nothing
};

/// One operator with its operand.
struct Query::Test {
  enum class Operator : uint8_t {
    kEqual,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
    kIn,
    kExists,
    kType,
    kRegex,
    kMod,
    kSize,
    kElementMatches,  ///< some element is a document that `query` matches
    kElementIs,       ///< all of `tests` hold of one element
    kAll,             ///< all of `tests` hold, each of some candidate
    kNothing,         ///< never holds
  };
  Operator op = Operator::kNothing;
  bool negated = false;
  msgpack::Value operand;                     ///< comparisons
  msgpack::Cursor behind_operand{Bytes()};    ///< behind the operand's head: where a container's parts begin
  struct More {
    std::vector<Bytes> values;                ///< kIn, in order
    bool has_null = false;                    ///< kIn
    uint32_t types = 0;                       ///< kType: a bit per kind of type, TypeBit
    int64_t divisor = 1, remainder = 0;       ///< kMod
    uint64_t size = 0;                        ///< kSize
    std::optional<Regex> regex;
    std::vector<Test> tests;
    std::unique_ptr<Conjunction> query;
  };
  std::unique_ptr<More> more;

  /// Whether it holds of what `rest` finds in the value before which `at` stands.
  bool holds_at(const msgpack::Cursor& at, Path::Rest rest, QueryRun& run) const;
  /// The same where there is not even the field that the path begins with.
  bool holds_of_missing() const;
  /// Of one element of an array, as a value of its own.
  bool holds_of_element(const msgpack::Cursor& at, QueryRun& run) const;
  /// The element of the first array met, on the way or at its end, by which it holds. Requires that it does.
  std::optional<uint32_t> position_at(msgpack::Cursor at, Path::Rest rest, QueryRun& run) const;

 private:
  bool candidate(CandidateKind kind, msgpack::Cursor at, QueryRun& run) const;
  bool holds_of_one_element(const msgpack::Cursor& at, QueryRun& run) const;
  std::optional<uint32_t> position_among(uint32_t count, msgpack::Cursor at, Path::Rest rest, QueryRun& run) const;
  bool holds_for(const msgpack::Value& value, const msgpack::Cursor& before, const msgpack::Cursor& behind, QueryRun& run) const;
  bool compares(const msgpack::Value& value, msgpack::Cursor before) const;
  bool is_in_list(msgpack::Cursor before) const;
  bool any_element(uint32_t count, msgpack::Cursor at, QueryRun& run) const;
};

struct Query::Condition {
  Path path;
  Test test;
  uint32_t order = 0;  ///< among all conditions and branches of the query, as they were written
};

struct Query::Conjunction {
  /// The conditions on one top-level field.
  struct Field {
    Bytes name;
    uint32_t begin = 0;
    uint32_t end = 0;
    bool may_be_missing = false;
  };
  struct Branch {
    bool negated = false;  ///< $nor
    uint32_t order = 0;    ///< as of conditions
    std::vector<Conjunction> alternatives;
  };
  std::vector<Condition> conditions;  ///< sorted by the first component of their paths
  std::vector<Field> fields;          ///< sorted by name
  uint32_t required = 0;              ///< fields that may not be missing
  std::vector<Branch> branches;

  bool matches(msgpack::Cursor document, QueryRun& run) const;
  /// The same of a document whose only field holds the value before which `value` stands.
  bool matches_field(const msgpack::Cursor& value, QueryRun& run) const;
  /// Requires that it matches.
  std::optional<uint32_t> position(const msgpack::Cursor& document, QueryRun& run) const;
  void collect_names(std::vector<Bytes>& out) const;

 private:
  const Field* find_field(Bytes name) const;
  bool fields_match(msgpack::Cursor document, QueryRun& run) const;
};

/// What $type tells apart.
namespace type_bit {
inline constexpr uint32_t kDouble = 1, kString = 2, kObject = 4, kArray = 8, kBinary = 16, kBool = 32, kDate = 64, kNull = 128, kInt = 256,
                          kLong = 512;
uint32_t of(const msgpack::Value& value);
}  // namespace type_bit

}  // namespace holdfast::core
