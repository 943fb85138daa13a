// The words that begin a map which stands for something else. Shared by reader and writer: a map that begins with one
// is a document's own only inside $literal.
#pragma once

#include <string_view>

namespace holdfast::cli {

enum class Word : uint8_t {
  kNone,
  kNumberInt,
  kNumberLong,
  kNumberUnsigned,
  kNumberDouble,
  kRawString,
  kBinary,
  kDate,
  kTime,
  kExtension,
  kLiteral,
};

constexpr Word word_of(std::string_view key) {
  if (!key.starts_with('$')) return Word::kNone;
  if (key == "$numberInt") return Word::kNumberInt;
  if (key == "$numberLong") return Word::kNumberLong;
  if (key == "$numberUnsigned") return Word::kNumberUnsigned;
  if (key == "$numberDouble") return Word::kNumberDouble;
  if (key == "$rawString") return Word::kRawString;
  if (key == "$binary") return Word::kBinary;
  if (key == "$date") return Word::kDate;
  if (key == "$time") return Word::kTime;
  if (key == "$extension") return Word::kExtension;
  if (key == "$literal") return Word::kLiteral;
  return Word::kNone;
}

}  // namespace holdfast::cli
