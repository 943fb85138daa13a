#include "core/path.h"

#include <charconv>

namespace holdfast::core {
namespace {

uint32_t parse_position(Bytes name) {
  if (name.empty() || name.size() > 10 || (name.size() > 1 && name.front() == '0')) return Path::kNoPosition;
  uint32_t n = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
  return error == std::errc() && end == name.data() + name.size() ? n : Path::kNoPosition;
}

}  // namespace

Path::Component Path::component(Bytes name) { return {name, parse_position(name)}; }

std::string Path::shown(Bytes text) {
  constexpr size_t kMax = 200;
  if (text.size() <= kMax) return std::string(text);
  size_t end = kMax;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;  // not inside a character (UTF-8)
  return std::string(text.substr(0, end)) + "…";
}

Result<Path> Path::parse(Bytes text) {
  Path path;
  path.text_ = text;
  for (size_t from = 0;;) {
    if (path.components_.size() == kMaxComponents)
      return fail(Code::kTooLarge,
                  "a path has at most " + std::to_string(kMaxComponents) + " parts: shorten " + shown(text));
    size_t dot = text.find('.', from);
    Bytes name = text.substr(from, dot == Bytes::npos ? dot : dot - from);
    path.components_.push_back(component(name));
    if (dot == Bytes::npos) return path;
    from = dot + 1;
  }
}

size_t Path::positions() const {
  return static_cast<size_t>(std::ranges::count_if(components_, &Component::is_position));
}

std::strong_ordering visiting_order(const Path::Component& a, const Path::Component& b) {
  if (a.is_position() || b.is_position()) return a.position <=> b.position;
  return a.name <=> b.name;
}

FoundValue find_value(Path::Rest path, Bytes value) {
  using msgpack::Kind;
  FoundValue found;
  msgpack::Cursor at(value);
  for (const Path::Component& c : path) {
    msgpack::Value head;
    if (!at.next(head)) return found;
    bool there = false;
    if (head.kind == Kind::kArray) {
      found.in_array = true;
      there = c.position < head.count;
      for (uint32_t i = 0; there && i < c.position; ++i) at.skip();
    }
    for (uint32_t i = 0; head.kind == Kind::kMap && i < head.count && !there; ++i) {
      Bytes name;
      if (!at.string(name)) return found;
      there = name == c.name;
      if (!there) at.skip();
    }
    if (!there) return found;
  }
  found.value = at.raw();
  return found;
}

}  // namespace holdfast::core
