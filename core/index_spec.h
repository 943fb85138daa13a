// IndexSpec: an index that somebody has declared: paths, and of which type their values are to be.
//
// Declared indexes are remembered and checked against what is there; no query uses one so far. Pure.
#pragma once

#include <string>
#include <vector>

#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::core {

struct IndexField {
  /// kAny: no type was declared.
  enum class Type : uint8_t { kAny = 0, kString = 1, kInteger = 2, kFloat = 3, kBoolean = 4, kTime = 5, kBytes = 6 };
  std::string path;
  Type type = Type::kAny;
  bool operator==(const IndexField&) const = default;
};

struct IndexSpec {
  static constexpr size_t kMaxFields = 16;
  static constexpr size_t kMaxPathBytes = 1024;

  std::vector<IndexField> fields;
  /// The paths, joined by commas: what it is called. Two of one collection have the same name when they have the same paths in the same order.
  std::string name() const;
  bool operator==(const IndexSpec&) const = default;
};

inline constexpr size_t kMaxIndexesPerCollection = 64;

/// kBadRequest, kTooLarge: no fields, too many, one twice, an empty path, one too long or with more array positions than queries may have.
Result<> check_index(const IndexSpec& spec);

std::string_view name(IndexField::Type type);
/// kBadRequest for a name that is none; "" is kAny.
Result<IndexField::Type> index_type(Bytes name);

/// How a document stands to an index.
struct IndexFit {
  enum class Kind : uint8_t {
    kFits,     ///< it has values of the declared types at all paths
    kMissing,  ///< it has no value at some path
    kOther,    ///< at some path it has a value of another type only
  } kind = Kind::kFits;
  size_t field = 0;             ///< kMissing, kOther: which
  std::string_view actual = {};  ///< kOther: what is there
};
/// Requires that check_index() accepted. Of an array its elements count.
IndexFit fit(const IndexSpec& spec, Bytes document);

void append_index(Buffer& out, const IndexSpec& spec);
/// Malformed: in.ok() is false.
IndexSpec take_index(ByteReader& in);

}  // namespace holdfast::core
