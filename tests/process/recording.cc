#include "tests/process/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>

#include "io/base/msgpack.h"
#include "io/wire/args.h"
#include "io/wire/frame.h"
#include "io/wire/request.h"

namespace holdfast::test {
namespace {

using msgpack::Cursor;
using msgpack::Kind;
using wire::Op;
using Pairs = std::map<std::string_view, Bytes>;

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool append_hex(std::string_view hex, Buffer& out) {
  if (hex.empty() || hex.size() % 2 != 0) return false;
  for (size_t i = 0; i < hex.size(); i += 2) {
    int high = digit(hex[i]), low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high << 4 | low);
  }
  return true;
}

bool parse_number(std::string_view text, int& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// One line that begins an event.
std::optional<Event> parse_event(const std::string& line) {
  using What = Event::What;
  std::istringstream words(line);
  std::string first, second, more;
  words >> first >> second;
  if (words >> more) return std::nullopt;
  Event event;
  if (first[0] == '>' || first[0] == '<') {
    event.what = first[0] == '>' ? What::kRequest : What::kReply;
    if (!parse_number(std::string_view(first).substr(1), event.connection) || !append_hex(second, event.bytes))
      return std::nullopt;
    return event;
  }
  const std::map<std::string_view, What> kWords = {
      {"open", What::kOpen}, {"close", What::kClose}, {"break", What::kBreak}, {"end", What::kEnd}};
  auto word = kWords.find(first);
  if (word == kWords.end() || !parse_number(second, event.connection)) return std::nullopt;
  event.what = word->second;
  return event;
}

std::string hex(Bytes bytes) {
  constexpr size_t kShown = 200;
  std::string out;
  for (char c : bytes.substr(0, kShown)) out += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return bytes.size() > kShown ? out + "…" : out;
}

std::string differ(std::string_view what, Bytes recorded, Bytes got) {
  return fmt::format("{}: recorded {}, got {}", what, hex(recorded), hex(got));
}

// The pairs of exactly one map with string keys.
std::optional<Pairs> pairs_of(Bytes map) {
  Cursor at(map);
  msgpack::Value head;
  if (!at.next(head) || head.kind != Kind::kMap) return std::nullopt;
  Pairs out;
  for (uint32_t i = 0; i < head.count; ++i) {
    Bytes key;
    if (!at.string(key) || !out.emplace(key, at.raw()).second || !at.ok()) return std::nullopt;
  }
  return at.at_end() ? std::optional(out) : std::nullopt;
}

std::optional<std::vector<Bytes>> elements_of(Bytes array) {
  Cursor at(array);
  msgpack::Value head;
  if (!at.next(head) || head.kind != Kind::kArray) return std::nullopt;
  std::vector<Bytes> out;
  for (uint32_t i = 0; i < head.count; ++i) {
    out.push_back(at.raw());
    if (!at.ok()) return std::nullopt;
  }
  return at.at_end() ? std::optional(out) : std::nullopt;
}

std::optional<uint64_t> uint_of(Bytes value) {
  Cursor at(value);
  msgpack::Value v;
  return at.next(v) && at.at_end() && v.kind == Kind::kUint ? std::optional(v.u) : std::nullopt;
}

std::optional<Bytes> string_of(Bytes value) {
  Cursor at(value);
  Bytes out;
  return at.string(out) && at.at_end() ? std::optional(out) : std::nullopt;
}

// `code: `, and "E11000" when the sentence begins so.
Bytes promised_of_error(Bytes error) {
  size_t colon = error.find(": ");
  if (colon == Bytes::npos) return error;
  return error.substr(0, colon + (error.substr(colon).starts_with(": E11000") ? 8 : 2));
}

std::string difference_of_errors(Bytes recorded, Bytes got) {
  std::optional<Bytes> want = string_of(recorded), have = string_of(got);
  if (!want || !have || promised_of_error(*want) != promised_of_error(*have)) return differ("error", recorded, got);
  return {};
}

// In no defined order.
std::string difference_of_documents(Bytes recorded, Bytes got) {
  std::optional<std::vector<Bytes>> want = elements_of(recorded), have = elements_of(got);
  if (!want || !have) return differ("result", recorded, got);
  std::ranges::sort(*want);
  std::ranges::sort(*have);
  return *want == *have ? std::string() : differ("result, sorted by documents", recorded, got);
}

std::string difference_of_stats(Bytes got) {
  std::optional<Pairs> have = pairs_of(got);
  if (!have) return "stats: no map";
  for (const char* key : {"lsn", "durable_lsn", "documents", "connections", "uptime_seconds"})
    if (!have->contains(key) || !uint_of(have->at(key))) return fmt::format("stats: no figure {}", key);
  for (const char* key : {"version", "sync_mode"})
    if (!have->contains(key) || !string_of(have->at(key))) return fmt::format("stats: no text {}", key);
  return {};
}

std::string difference_of_batches(Bytes args, Bytes recorded, Bytes got) {
  Result<wire::Batch> batch = wire::parse_batch(args);
  std::optional<Pairs> want = pairs_of(recorded), have = pairs_of(got);
  auto shaped = [](const std::optional<Pairs>& p) {
    return p && p->size() == 2 && p->contains("responses") && p->contains("is_batch") && p->at("is_batch") == "\xc3";
  };
  if (!batch || !shaped(want) || !shaped(have)) return differ("batch", recorded, got);
  std::optional<std::vector<Bytes>> wanted = elements_of(want->at("responses"));
  std::optional<std::vector<Bytes>> had = elements_of(have->at("responses"));
  if (!wanted || !had || wanted->size() != batch->count() || had->size() != batch->count())
    return differ("responses", recorded, got);
  size_t i = 0;
  for (Bytes request; batch->next(request); ++i)
    if (std::string d = difference(request, (*wanted)[i], (*had)[i]); !d.empty())
      return fmt::format("response {}: {}", i, d);
  return {};
}

std::string difference_of_results(const wire::Request& request, Bytes recorded, Bytes got) {
  switch (request.op) {
    case Op::kStats: return difference_of_stats(got);
    case Op::kBatch: return difference_of_batches(request.args, recorded, got);
    case Op::kFind: return difference_of_documents(recorded, got);
    default: return recorded == got ? std::string() : differ("result", recorded, got);
  }
}

}  // namespace

Result<std::vector<Event>> parse_recording(const std::string& text) {
  std::vector<Event> out;
  std::istringstream in(text);
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    bool fine = true;
    if (line[0] == ' ') {
      fine = !out.empty() && append_hex(std::string_view(line).substr(line.find_first_not_of(' ')), out.back().bytes);
    } else if (std::optional<Event> event = parse_event(line)) {
      event->line = number;
      out.push_back(std::move(*event));
    } else {
      fine = false;
    }
    if (!fine) return fail(Code::kBadRequest, fmt::format("line {} is no event: {}", number, line));
  }
  return out;
}

Bytes payload_of(Bytes frame) { return frame.substr(std::min(frame.size(), wire::kFrameHeaderSize)); }

std::string difference(Bytes request, Bytes recorded, Bytes reply) {
  wire::Request asked;
  if (!wire::parse_request(request, asked)) return "the recorded request is none";
  std::optional<Pairs> want = pairs_of(recorded), have = pairs_of(reply);
  if (!want || !have) return differ("no map", recorded, reply);
  for (const auto& [key, value] : *have)
    if (!want->contains(key)) return differ(fmt::format("key {} was not there", key), recorded, reply);
  for (const auto& [key, value] : *want) {
    if (!have->contains(key)) return differ(fmt::format("key {} is missing", key), recorded, reply);
    Bytes got = have->at(key);
    std::string d;
    if (key == "result") {
      d = difference_of_results(asked, value, got);
    } else if (key == "error") {
      d = difference_of_errors(value, got);
    } else if (key == "id") {
      if (uint_of(value) != uint_of(got)) d = differ(key, value, got);
    } else if (key == "lsn" || key == "durable_lsn") {
      if (!uint_of(got)) d = differ(key, value, got);
    } else if (value != got) {
      d = differ(key, value, got);
    }
    if (!d.empty()) return d;
  }
  auto figure = [&](const char* key) { return have->contains(key) ? uint_of(have->at(key)) : std::nullopt; };
  if (figure("lsn") > figure("durable_lsn")) return differ("not durable", recorded, reply);
  return {};
}

}  // namespace holdfast::test
