#include "chaos/workload/documents.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <vector>

#include "io/base/hash.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

/// Mostly short; now and then long enough to span blocks.
std::string text_of(uint64_t value) {
  uint64_t h = xxh3_64(Bytes(reinterpret_cast<const char*>(&value), sizeof value));
  size_t length = h % 16 == 0 ? (h >> 8) % 6000 : (h >> 8) % 200;
  std::string text(length, ' ');
  for (size_t i = 0; i < length; ++i) text[i] = static_cast<char>('a' + (h + i * 7 + i / 26) % 26);
  return text;
}

constexpr int64_t kLastUpdates = 3;
constexpr uint64_t kRemainders = 4;

struct History {
  uint64_t least = 0, greatest = 0;
  std::vector<uint64_t> last, remainders, counts, twice;
  std::vector<std::vector<uint64_t>> rows;  // remainder, count
};

bool read_numbers(msgpack::Cursor& in, std::vector<uint64_t>& out) {
  msgpack::Value head, value;
  if (!in.next(head) || head.kind != msgpack::Kind::kArray) return false;
  for (uint32_t i = 0; i < head.count; ++i) {
    if (!in.next(value) || value.kind != msgpack::Kind::kUint) return false;
    out.push_back(value.u);
  }
  return true;
}

bool read_number(msgpack::Cursor& in, uint64_t& out) {
  msgpack::Value value;
  if (!in.next(value) || value.kind != msgpack::Kind::kUint) return false;
  out = value.u;
  return true;
}

bool read_rows(msgpack::Cursor& in, std::vector<std::vector<uint64_t>>& out) {
  msgpack::Value head, row;
  if (!in.next(head) || head.kind != msgpack::Kind::kArray) return false;
  for (uint32_t i = 0; i < head.count; ++i) {
    out.emplace_back(2);
    if (!in.next(row) || row.kind != msgpack::Kind::kMap || row.count != 2) return false;
    for (size_t part = 0; part < 2; ++part) {
      Bytes name;
      if (!in.string(name) || name != (part == 0 ? "r" : "n") || !read_number(in, out.back()[part])) return false;
    }
  }
  return true;
}

bool read_history(msgpack::Cursor& in, History& out) {
  msgpack::Value head;
  if (!in.next(head) || head.kind != msgpack::Kind::kMap || head.count != 7) return false;
  for (uint32_t i = 0; i < head.count; ++i) {
    Bytes name;
    if (!in.string(name)) return false;
    bool read = name == "lo"  ? read_number(in, out.least)
                : name == "hi" ? read_number(in, out.greatest)
                : name == "l"  ? read_numbers(in, out.last)
                : name == "w"  ? read_rows(in, out.rows)
                : name == "k"  ? read_numbers(in, out.counts)
                : name == "t"  ? read_numbers(in, out.twice)
                               : name == "s" && read_numbers(in, out.remainders);
    if (!read) return false;
  }
  return true;
}

/// Every update counts once under its remainder, in two lists, and twice in a third.
bool counts_agree(const History& h, const DocumentState& state) {
  if (h.rows.size() != kRemainders || h.counts.size() != kRemainders) return false;
  uint64_t all = 0;
  for (uint64_t r = 0; r < kRemainders; ++r) {
    bool met = std::ranges::find(h.remainders, r) != h.remainders.end();
    if (h.rows[r] != std::vector<uint64_t>{r, h.counts[r]} || met != (h.counts[r] > 0)) return false;
    all += h.counts[r];
  }
  auto counter = static_cast<uint64_t>(state.counter);
  return all == counter && h.twice == std::vector<uint64_t>{counter, counter};
}

/// What as many updates as the counter says can have left, the last of them this value's.
bool agrees(const History& h, const DocumentState& state) {
  auto within = [&](uint64_t value) { return h.least <= value && value <= h.greatest; };
  if (!within(state.value) || !std::ranges::all_of(h.last, within)) return false;
  if (!counts_agree(h, state)) return false;
  if (static_cast<int64_t>(h.last.size()) != std::min(state.counter, kLastUpdates)) return false;
  std::set<uint64_t> distinct(h.remainders.begin(), h.remainders.end());
  if (distinct.size() != h.remainders.size() || std::ranges::any_of(distinct, [](uint64_t r) { return r >= kRemainders; })) return false;
  if (state.counter == 0) return h.least == h.greatest && distinct.empty();
  return h.last.back() == state.value && std::ranges::all_of(h.last, [&](uint64_t v) { return distinct.contains(v % kRemainders); });
}

}  // namespace

Buffer make_document(std::string_view key, uint64_t value) {
  Buffer out;
  msgpack::Writer w(out);
  w.map(5).string("_id").string(key).string("v").uint(value).string("n").integer(0).string("p").string(text_of(value));
  w.string("h").map(7).string("lo").uint(value).string("hi").uint(value).string("l").array(0).string("s").array(0);
  w.string("w").array(kRemainders);
  for (uint64_t r = 0; r < kRemainders; ++r) w.map(2).string("r").uint(r).string("n").uint(0);
  w.string("k").array(kRemainders).uint(0).uint(0).uint(0).uint(0).string("t").array(2).uint(0).uint(0);
  return out;
}

DocumentUpdate make_update(std::string_view key, uint64_t value) {
  DocumentUpdate out;
  uint64_t remainder = value % kRemainders;
  msgpack::Writer(out.filter).map(2).string("_id").string(key).string("h.w.r").uint(remainder);
  msgpack::Writer(out.array_filters).array(1).map(1).string("row.r").uint(remainder);
  msgpack::Writer w(out.update);
  w.map(6).string("$set").map(2).string("v").uint(value).string("p").string(text_of(value));
  w.string("$inc").map(4).string("n").integer(1);
  for (const char* path : {"h.w.$[row].n", "h.k.$", "h.t.$[]"}) w.string(path).integer(1);
  w.string("$min").map(1).string("h.lo").uint(value).string("$max").map(1).string("h.hi").uint(value);
  w.string("$push").map(1).string("h.l").map(2).string("$each").array(1).uint(value).string("$slice").integer(-kLastUpdates);
  w.string("$addToSet").map(1).string("h.s").uint(remainder);
  return out;
}

Buffer by_key(std::string_view key) {
  Buffer out;
  msgpack::Writer(out).map(1).string("_id").string(key);
  return out;
}

Result<ReadDocument> read_document(Bytes document) {
  ReadDocument out;
  out.state.exists = true;
  msgpack::Cursor in(document);
  msgpack::Value head, value;
  auto bad = [&](std::string_view what) { return fail(Code::kCorrupt, fmt::format("a document read back {} ({} bytes)", what, document.size())); };
  if (!in.next(head) || head.kind != msgpack::Kind::kMap || head.count != 5) return bad("is not a map of five fields");
  std::string text;
  History history;
  for (int i = 0; i < 5; ++i) {
    Bytes name;
    if (!in.string(name)) return bad("is malformed");
    if (name == "h") {
      if (!read_history(in, history)) return bad("has a history that nobody wrote");
      continue;
    }
    if (!in.next(value)) return bad("is malformed");
    if (name == "_id" && value.kind == msgpack::Kind::kString)
      out.key = value.bytes;
    else if (name == "v" && value.kind == msgpack::Kind::kUint)
      out.state.value = value.u;
    else if (name == "n" && value.kind == msgpack::Kind::kUint)
      out.state.counter = static_cast<int64_t>(value.u);
    else if (name == "p" && value.kind == msgpack::Kind::kString)
      text = value.bytes;
    else
      return bad("has a field that nobody wrote");
  }
  if (!in.at_end()) return bad("has bytes behind its end");
  if (text != text_of(out.state.value)) return bad(fmt::format("with key {} has the value of one write and the text of another", out.key));
  if (!agrees(history, out.state)) return bad(fmt::format("with key {} has a history that its {} updates cannot have left", out.key, out.state.counter));
  return out;
}

}  // namespace holdfast::chaos
