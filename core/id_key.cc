#include "core/id_key.h"

#include <fmt/ranges.h>

#include <cmath>

#include "core/path.h"
#include "core/value_order.h"
#include "io/base/assert.h"
#include "io/base/hash.h"

namespace holdfast::core {
namespace {

using msgpack::Kind;
using msgpack::Value;

enum Tag : char { kNumber = 0x10, kString = 0x20, kBinary = 0x30, kBoolean = 0x40, kTime = 0x50 };

constexpr uint64_t kSignBit = uint64_t{1} << 63;
constexpr int kMantissaBits = 53;

void append_float(Buffer& key, double d) {
  if (std::isnan(d)) return append_be<uint64_t>(key, 0);
  auto bits = std::bit_cast<uint64_t>(d == 0 ? 0.0 : d);
  append_be<uint64_t>(key, bits & kSignBit ? ~bits : bits | kSignBit);
}

// How many low bits of an integer of this size a double cannot hold.
int excess_bits(uint64_t magnitude) { return std::max(0, static_cast<int>(std::bit_width(magnitude)) - kMantissaBits); }

void append_above(Buffer& key, double floor, uint64_t above) {
  HF_ASSERT(above < 2048, "a 64-bit integer has at most eleven bits more than a double's mantissa");
  append_float(key, floor);
  if (above != 0) append_be(key, static_cast<uint16_t>(above));
}

void append_uint(Buffer& key, uint64_t u) {
  uint64_t above = u & ((uint64_t{1} << excess_bits(u)) - 1);
  append_above(key, static_cast<double>(u - above), above);
}

void append_negative(Buffer& key, int64_t i) {
  uint64_t magnitude = -static_cast<uint64_t>(i);
  uint64_t step = uint64_t{1} << excess_bits(magnitude);
  uint64_t above = -magnitude & (step - 1);  // up to the next multiple of step, which lies further from zero
  append_above(key, -static_cast<double>(magnitude + above), above);
}

Result<> check_size(Bytes payload) {
  if (payload.size() <= kMaxIdBytes) return {};
  return fail(Code::kTooLarge, "_id has " + std::to_string(payload.size()) + " bytes, at most " +
                                   std::to_string(kMaxIdBytes) + " are allowed: use a shorter one");
}

Result<Buffer> encode(const Value& v) {
  Buffer key;
  switch (v.kind) {
    case Kind::kUint:
      key.push_back(kNumber);
      append_uint(key, v.u);
      return key;
    case Kind::kInt:
      key.push_back(kNumber);
      append_negative(key, v.i);
      return key;
    case Kind::kFloat:
      key.push_back(kNumber);
      append_float(key, v.f);
      return key;
    case Kind::kString:
      HF_CHECK_OK(check_size(v.bytes));
      key.reserve(1 + v.bytes.size());
      key.push_back(kString);
      key.append(v.bytes);
      return key;
    case Kind::kBinary:
      HF_CHECK_OK(check_size(v.bytes));
      key.reserve(5 + v.bytes.size());
      key.push_back(kBinary);
      append_be(key, static_cast<uint32_t>(v.bytes.size()));
      key.append(v.bytes);
      return key;
    case Kind::kBool:
      return Buffer{kBoolean, static_cast<char>(v.boolean)};
    case Kind::kTime:
      key.push_back(kTime);
      append_be(key, static_cast<uint64_t>(v.i) ^ kSignBit);
      append_be(key, v.nanoseconds);
      return key;
    default:
      return fail(Code::kBadRequest, "_id is " + std::string(type_name(v.kind)) +
                                         ": it must be a string, a number, binary data, a boolean or a time");
  }
}

}  // namespace

Result<Buffer> id_key(Bytes value) {
  msgpack::Cursor c(value);
  Value v;
  if (!c.next(v)) return fail(Code::kBadRequest, "_id is not a MessagePack value");
  if (!v.is_container() && !c.at_end())
    return fail(Code::kBadRequest, "_id is followed by bytes that do not belong to it");
  return encode(v);
}

std::string shown_key(Bytes key) {
  constexpr size_t kMaxHex = 32;
  Bytes rest = key.empty() ? key : key.substr(1);
  if (!key.empty() && key[0] == kString) return '"' + Path::shown(rest) + '"';
  if (!key.empty() && key[0] == kNumber && rest.size() >= 8) {
    auto bits = load_be<uint64_t>(rest.data());
    auto d = std::bit_cast<double>(bits & kSignBit ? bits & ~kSignBit : ~bits);
    int64_t above = rest.size() >= 10 ? load_be<uint16_t>(rest.data() + 8) : 0;
    constexpr double kLimit = 9.2e18;
    if (bits != 0 && d == std::trunc(d) && std::abs(d) < kLimit) return fmt::format("{}", static_cast<int64_t>(d) + above);
    return fmt::format("{}", d);
  }
  return fmt::format("in hex, as a key, {:02x}", fmt::join(std::span(reinterpret_cast<const unsigned char*>(key.data()), std::min(key.size(), kMaxHex)), ""));
}

ShardId shard_of(Bytes key, uint16_t shard_count) {
  HF_ASSERT(shard_count >= 1 && shard_count <= 4096, "settings are checked when a directory is made or opened");
  return ShardId(static_cast<uint16_t>(xxh3_64(key) % shard_count));
}

namespace {
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
}

Buffer generated_id(std::span<const char, kGeneratedIdLetters> random) {
  Buffer id;
  id.reserve(kGeneratedIdLetters);
  for (char r : random) id.push_back(kLetters[static_cast<unsigned char>(r) * kLetters.size() >> 8]);
  return id;
}

bool has_generated_shape(Bytes value) {
  msgpack::Cursor c(value);
  Value v;
  if (!c.next(v) || v.kind != Kind::kString || v.bytes.size() != kGeneratedIdLetters) return false;
  return v.bytes.find_first_not_of(kLetters) == Bytes::npos;
}

}  // namespace holdfast::core
