#include "core/sort.h"

#include <fmt/core.h>

#include "core/operand.h"
#include "core/value_order.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;

namespace {

constexpr Bytes kNull{"\xc0", 1};

/// Keeps the least, or the greatest, of the values that it is told.
class Extreme {
 public:
  explicit Extreme(bool greatest) : greatest_(greatest) {}
  void see(Bytes value) {
    if (!best_ || (compare(value, *best_) < 0) != greatest_) best_ = value;
  }
  Bytes get() const { return best_.value_or(kNull); }

 private:
  bool greatest_;
  std::optional<Bytes> best_;
};

Bytes sort_value(Bytes document, const Path& path, bool greatest) {
  Extreme extreme(greatest);
  visit_candidates(Cursor(document), path.components(), [&](CandidateKind kind, Cursor at) {
    if (kind == CandidateKind::kMissing) {
      extreme.see(kNull);
      return false;
    }
    Cursor before = at;
    Value v;
    if (!at.next(v)) return true;
    if (v.kind != Kind::kArray || kind == CandidateKind::kElement) {
      extreme.see(before.raw());
      return false;
    }
    if (v.count == 0) extreme.see(kNull);
    for (uint32_t i = 0; i < v.count; ++i) extreme.see(at.raw());
    return false;
  });
  return extreme.get();
}

}  // namespace

Result<> Sort::add(Bytes path, Bytes direction) {
  auto refuse = [&](Code code, std::string_view why) { return fail(code, fmt::format("{}, in the sort at {}", why, Path::shown(path))); };
  if (parts_.size() == kMaxPaths) return refuse(Code::kTooLarge, fmt::format("a sort has at most {} paths", kMaxPaths));
  Value v = head_of(direction);
  if (v.is_container()) return refuse(Code::kUnsupported, "only 1 and -1 are supported");
  std::optional<int64_t> n = whole_number(v);
  if (n != 1 && n != -1) return refuse(Code::kBadRequest, "the direction must be 1 or -1");
  if (path.empty() || path.front() == '$') return refuse(Code::kBadRequest, "there must be a path");
  Part part{.text = std::make_unique<Buffer>(path), .path = {}, .descends = n == -1};
  HF_TRY(parsed, Path::parse(*part.text));
  if (parsed.positions() > Path::kMaxPositions)
    return refuse(Code::kTooLarge, fmt::format("the path holds more than {} array positions", Path::kMaxPositions));
  part.path = std::move(parsed);
  parts_.push_back(std::move(part));
  return {};
}

Result<Sort> Sort::compile(Bytes sort) {
  HF_CHECK_OK(msgpack::validate(sort, {.max_depth = 4}));
  Sort out;
  Cursor at(sort);
  Value head;
  at.next(head);
  if (head.kind == Kind::kNil) return out;
  bool list = head.kind == Kind::kArray;
  if (!list && head.kind != Kind::kMap) return fail(Code::kBadRequest, "a sort is a document of paths and directions, 1 or -1, or an array of such");
  for (uint32_t i = 0; i < head.count; ++i) {
    if (list) {
      Value one;
      at.next(one);
      if (one.kind != Kind::kMap || one.count != 1) return fail(Code::kBadRequest, "each part of a sort that is an array is a document of one path");
    }
    Bytes path;
    at.string(path);
    HF_CHECK_OK(out.add(path, at.raw()));
  }
  return out;
}

Sort Sort::by_id() {
  Sort out;
  (void)out.add("_id", Bytes("\x01", 1));
  return out;
}

Buffer Sort::key(Bytes document) const {
  Buffer out;
  for (const Part& p : parts_) out.append(sort_value(document, p.path, p.descends));
  return out;
}

bool Sort::is_key(Bytes key) const {
  Cursor at(key);
  for (size_t i = 0; i < parts_.size(); ++i)
    if (!msgpack::validate(at.raw(), {.max_depth = msgpack::kMaxDepth, .distinct_keys = false})) return false;
  return at.ok() && at.at_end();
}

std::strong_ordering Sort::compare(Bytes key_a, Bytes id_a, Bytes key_b, Bytes id_b) const {
  Cursor a(key_a), b(key_b);
  for (const Part& p : parts_) {
    auto order = core::compare(a, b);
    if (order != 0) return (order < 0) != p.descends ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  return id_a <=> id_b;
}

}  // namespace holdfast::core
