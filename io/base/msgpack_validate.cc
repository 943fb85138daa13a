// validate(): one pass with an explicit stack of open containers. The keys of all open maps lie on one stack too, each
// as a hash and its place; a map's keys are compared when it closes.
#include <algorithm>
#include <array>
#include <memory_resource>
#include <span>
#include <vector>

#include "io/base/assert.h"
#include "io/base/hash.h"
#include "io/base/msgpack.h"
#include "io/base/utf8.h"

namespace holdfast::msgpack {
namespace {

constexpr size_t kFewKeys = 16;     // up to so many, comparing each with each beats sorting
constexpr size_t kKeysInline = 64;  // up to so many open keys cost no allocation

class Validator {
 public:
  Validator(Bytes in, const Rules& rules) : in_(in), cursor_(in), rules_(rules) {
    HF_ASSERT(rules.max_depth >= 0 && rules.max_depth <= kMaxDepth, "the stack of open containers is of fixed size");
    keys_.reserve(kKeysInline);
  }

  Result<> run() {
    if (in_.size() > UINT32_MAX) return fail(Code::kTooLarge, "a value takes less than 4 GiB");
    do {
      size_t at = position();
      Value v;
      if (!cursor_.next(v)) return broken(at);
      if (depth_ > 0 && top().key_next) HF_CHECK_OK(check_key(v, at));
      if (v.is_container()) {
        if (depth_ == rules_.max_depth) return too_deep(at);
        if (v.count > 0) {
          push(v);
          continue;
        }
      }
      HF_CHECK_OK(close_finished());
    } while (depth_ > 0);
    if (cursor_.at_end()) return {};
    return refuse(position(), std::to_string(cursor_.remaining()) + " more bytes follow a whole value");
  }

 private:
  struct Open {
    uint32_t left;       // elements or pairs that are not complete
    uint32_t keys_from;  // where this map's keys begin on the stack of keys
    bool is_map;
    bool key_next;  // the next value is a key
  };
  struct Key {
    uint32_t hash;
    uint32_t at;
  };

  size_t position() const { return in_.size() - cursor_.remaining(); }
  Open& top() { return open_[static_cast<size_t>(depth_ - 1)]; }

  void push(const Value& v) {
    bool is_map = v.kind == Kind::kMap;
    open_[static_cast<size_t>(depth_++)] = {v.count, static_cast<uint32_t>(keys_.size()), is_map, is_map};
  }

  // A value has ended: counts it where it belongs, and so on outwards for every container that ends with it.
  Result<> close_finished() {
    while (depth_ > 0) {
      Open& o = top();
      if (o.key_next) {
        o.key_next = false;
        return {};
      }
      o.key_next = o.is_map;
      if (--o.left > 0) return {};
      if (o.is_map) {
        HF_CHECK_OK(check_distinct(std::span(keys_).subspan(o.keys_from)));
        keys_.resize(o.keys_from);
      }
      --depth_;
    }
    return {};
  }

  Result<> check_key(const Value& v, size_t at) {
    if (v.kind != Kind::kString)
      return rules_.string_keys ? refuse(at, "a map's keys must be strings") : Result<>();
    if (rules_.string_keys && !is_utf8(v.bytes)) return refuse(at, "a map's key is not UTF-8");
    if (rules_.distinct_keys) keys_.push_back({static_cast<uint32_t>(xxh3_64(v.bytes)), static_cast<uint32_t>(at)});
    return {};
  }

  Result<> check_distinct(std::span<Key> keys) {
    if (keys.size() <= kFewKeys) {
      for (size_t i = 1; i < keys.size(); ++i)
        for (size_t j = 0; j < i; ++j)
          if (keys[j].hash == keys[i].hash && text(keys[j]) == text(keys[i])) return twice(keys[i]);
      return {};
    }
    std::ranges::sort(keys, [this](Key a, Key b) { return a.hash != b.hash ? a.hash < b.hash : text(a) < text(b); });
    auto pair =
        std::ranges::adjacent_find(keys, [this](Key a, Key b) { return a.hash == b.hash && text(a) == text(b); });
    return pair == keys.end() ? Result<>() : twice(pair[0].at > pair[1].at ? pair[0] : pair[1]);
  }
  Bytes text(Key k) const {
    Bytes s;
    Cursor(in_.substr(k.at)).string(s);
    return s;
  }

  static Result<> refuse(size_t at, std::string what) {
    return fail(Code::kBadRequest, "MessagePack, byte " + std::to_string(at) + ": " + std::move(what));
  }
  Result<> broken(size_t at) const {
    if (at == in_.size()) return refuse(at, "the bytes end where a value should begin");
    if (static_cast<uint8_t>(in_[at]) == 0xc1) return refuse(at, "0xc1 begins no value");
    return refuse(at,
                  "the value that begins here needs more than the " + std::to_string(in_.size() - at) + " bytes left");
  }
  Result<> too_deep(size_t at) const {
    return fail(Code::kTooLarge, "MessagePack, byte " + std::to_string(at) + ": containers are nested more than " +
                                     std::to_string(rules_.max_depth) + " deep");
  }
  Result<> twice(Key k) const {
    return refuse(k.at, "the key \"" + std::string(text(k).substr(0, 100)) + "\" occurs twice in one map");
  }

  Bytes in_;
  Cursor cursor_;
  Rules rules_;
  int depth_ = 0;
  std::array<Open, kMaxDepth> open_;
  std::array<std::byte, kKeysInline * sizeof(Key)> room_;
  std::pmr::monotonic_buffer_resource pool_{room_.data(), room_.size()};
  std::pmr::vector<Key> keys_{&pool_};
};

}  // namespace

Result<> validate(Bytes in, const Rules& rules) { return Validator(in, rules).run(); }

}  // namespace holdfast::msgpack
