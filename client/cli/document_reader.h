// DocumentReader: cuts a stream of JSON text into its documents, in bounded memory.
//
// Two forms, told apart by the first character that is not white space: one document a line, or one array of documents
// ('['). A byte order mark, blank lines and carriage returns before line ends are skipped. In an array documents may
// spread over lines; the reader only finds where one ends (brackets and strings), what is inside is the JSON parser's
// business.
//
// Memory: the largest document's text, at most kMaxText, and a read-ahead. Pure: bytes are fed by whoever reads the
// file.
#pragma once

#include <optional>
#include <string>

#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::cli {

class DocumentReader {
 public:
  /// A document of 16 MiB whose every byte takes six as text, and room to spare.
  static constexpr size_t kMaxText = size_t{128} << 20;
  static constexpr size_t kReadAhead = size_t{256} << 10;

  struct Item {
    std::string_view text;  ///< borrowed until the next prepare()
    uint64_t line = 0;      ///< of its first character; the first line is 1
  };

  /// Room for the next bytes, never empty.
  MutableBytes prepare();
  void commit(size_t n);
  /// No more bytes will come.
  void finish() { finished_ = true; }

  /// The next document's text; nothing when more bytes are needed or, after finish(), at the end.
  /// Errors: kBadRequest with "line N: ...", kTooLarge; the reader then stays where it is, and nothing after is given.
  Result<std::optional<Item>> next();

 private:
  enum class Form : uint8_t { kUnknown, kLines, kArray, kAfterArray };
  enum class Expect : uint8_t { kFirst, kElement, kSeparator };

  Result<std::optional<Item>> next_line();
  Result<std::optional<Item>> next_element();
  Result<bool> find_element();
  bool scan_value();
  bool skip_space();
  bool detect();
  std::unexpected<Error> bad(std::string_view what) const;
  void skip(size_t n);
  std::string_view rest() const { return std::string_view(data_).substr(begin_, end_ - begin_); }

  std::string data_;
  size_t begin_ = 0;   ///< of what is not consumed
  size_t end_ = 0;     ///< of what was fed
  uint64_t line_ = 1;  ///< of data_[begin_]
  bool finished_ = false;
  bool started_ = false;  ///< the byte order mark was looked for
  Form form_ = Form::kUnknown;
  Expect expect_ = Expect::kFirst;
  std::optional<Error> failed_;

  // How far the current line or element was looked through already, relative to begin_.
  size_t scanned_ = 0;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace holdfast::cli
