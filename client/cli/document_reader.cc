#include "client/cli/document_reader.h"

#include <fmt/core.h>

#include <algorithm>

#include "io/base/assert.h"

namespace holdfast::cli {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

MutableBytes DocumentReader::prepare() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (data_.size() - end_ < kReadAhead / 2) {
    if (begin_ > 0) {
      std::memmove(data_.data(), data_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (data_.size() - end_ < kReadAhead) grow(data_, std::max(kReadAhead, end_));
  }
  return {data_.data() + end_, data_.size() - end_};
}

void DocumentReader::commit(size_t n) {
  HF_ASSERT(n <= data_.size() - end_, "no more bytes are read than prepare() made room for");
  end_ += n;
}

std::unexpected<Error> DocumentReader::bad(std::string_view what) const {
  return fail(Code::kBadRequest, fmt::format("line {}: {}", line_, what));
}

void DocumentReader::skip(size_t n) {
  auto from = data_.begin() + static_cast<ptrdiff_t>(begin_);
  line_ += static_cast<uint64_t>(std::count(from, from + static_cast<ptrdiff_t>(n), '\n'));
  begin_ += n;
}

/// To the next character that is none. False when there is none yet.
bool DocumentReader::skip_space() {
  std::string_view r = rest();
  size_t n = 0;
  while (n < r.size() && is_space(r[n])) ++n;
  skip(n);
  return begin_ < end_;
}

/// Decides on the form. False when more bytes are needed.
bool DocumentReader::detect() {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (!started_) {
    if (rest().size() < kMark.size() && kMark.starts_with(rest()) && !finished_) return false;
    if (rest().starts_with(kMark)) begin_ += kMark.size();
    started_ = true;
  }
  if (!skip_space()) return false;
  if (rest().front() == '[') {
    form_ = Form::kArray;
    skip(1);
  } else {
    form_ = Form::kLines;
  }
  return true;
}

Result<std::optional<DocumentReader::Item>> DocumentReader::next() {
  if (failed_) return std::unexpected(*failed_);
  if (form_ == Form::kUnknown && !detect()) return std::nullopt;
  auto item = form_ == Form::kLines ? next_line() : next_element();
  if (!item) failed_ = item.error();
  return item;
}

Result<std::optional<DocumentReader::Item>> DocumentReader::next_line() {
  if (scanned_ == 0 && !skip_space()) return std::nullopt;
  std::string_view r = rest();
  size_t end = r.find('\n', scanned_);
  if (end == r.npos) {
    if (r.size() > kMaxText)
      return fail(Code::kTooLarge, fmt::format("line {}: longer than {} bytes", line_, kMaxText));
    scanned_ = r.size();
    if (!finished_) return std::nullopt;
    end = r.size();
  }
  Item item{.text = r.substr(0, end), .line = line_};
  while (is_space(item.text.back())) item.text.remove_suffix(1);
  skip(end);
  scanned_ = 0;
  return item;
}

Result<std::optional<DocumentReader::Item>> DocumentReader::next_element() {
  if (scanned_ == 0) {
    HF_TRY(found, find_element());
    if (!found) return std::nullopt;
  }
  if (!scan_value()) {
    if (finished_) return bad("the document that begins here never ends");
    if (scanned_ > kMaxText)
      return fail(Code::kTooLarge, fmt::format("line {}: a document longer than {} bytes", line_, kMaxText));
    return std::nullopt;
  }
  Item item{.text = rest().substr(0, scanned_), .line = line_};
  while (is_space(item.text.back())) item.text.remove_suffix(1);
  skip(scanned_);
  scanned_ = 0;
  expect_ = Expect::kSeparator;
  return item;
}

/// Goes to where the next element begins. False when there is none, or none yet.
Result<bool> DocumentReader::find_element() {
  for (;;) {
    if (!skip_space()) {
      if (finished_ && form_ == Form::kArray) return bad("the array is not closed: the text is cut short");
      return false;
    }
    char c = rest().front();
    if (form_ == Form::kAfterArray) return bad("something follows the array's end");
    if (c == ']') {
      if (expect_ == Expect::kElement) return bad("a document must follow the comma");
      form_ = Form::kAfterArray;
      skip(1);
    } else if (expect_ == Expect::kSeparator) {
      if (c != ',') return bad("a comma or the array's end must follow a document");
      skip(1);
      expect_ = Expect::kElement;
    } else {
      if (c == ',') return bad("a document must come before the comma");
      depth_ = 0;
      in_string_ = escaped_ = false;
      return true;
    }
  }
}

/// Looks for the end of the element that begins here: its closing bracket or, of what is no object or array, the comma
/// or bracket after it. False when it has not come yet.
bool DocumentReader::scan_value() {
  std::string_view r = rest();
  for (; scanned_ < r.size(); ++scanned_) {
    char c = r[scanned_];
    if (in_string_) {
      if (escaped_)
        escaped_ = false;
      else if (c == '\\')
        escaped_ = true;
      else if (c == '"')
        in_string_ = false;
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      // A bracket that closes nothing ends the element before it; alone it is one, for the JSON parser to refuse.
      if (depth_ == 0 && scanned_ > 0) return true;
      if (depth_ == 0 || --depth_ == 0) {
        ++scanned_;
        return true;
      }
    } else if (c == ',' && depth_ == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace holdfast::cli
