#include "io/base/msgpack.h"

#include <array>

#include "io/base/assert.h"

namespace holdfast::msgpack {
namespace {

// The first byte of a value. What is not named here is one of the fix forms, which hold a small number in the byte
// itself.
enum Head : uint8_t {
  kFixMap = 0x80,
  kFixArray = 0x90,
  kFixString = 0xa0,
  kNil = 0xc0,
  kNeverUsed = 0xc1,
  kFalse = 0xc2,
  kTrue = 0xc3,
  kBinary8 = 0xc4,
  kBinary16 = 0xc5,
  kBinary32 = 0xc6,
  kExtension8 = 0xc7,
  kExtension16 = 0xc8,
  kExtension32 = 0xc9,
  kFloat32 = 0xca,
  kFloat64 = 0xcb,
  kUint8 = 0xcc,
  kUint16 = 0xcd,
  kUint32 = 0xce,
  kUint64 = 0xcf,
  kInt8 = 0xd0,
  kInt16 = 0xd1,
  kInt32 = 0xd2,
  kInt64 = 0xd3,
  kFixExtension1 = 0xd4,
  kFixExtension2 = 0xd5,
  kFixExtension4 = 0xd6,
  kFixExtension8 = 0xd7,
  kFixExtension16 = 0xd8,
  kString8 = 0xd9,
  kString16 = 0xda,
  kString32 = 0xdb,
  kArray16 = 0xdc,
  kArray32 = 0xdd,
  kMap16 = 0xde,
  kMap32 = 0xdf,
  kFixNegative = 0xe0,
};

constexpr int8_t kTimestamp = -1;
constexpr uint32_t kNanosPerSecond = 1'000'000'000;

// Reads one value's head, a scalar whole, from [p, end), which is not empty. `p` moves only as far as was read; what
// was found is in the Value that the reader was made for.
class HeadReader {
 public:
  HeadReader(const char* p, const char* end, Value& out) : p_(p), end_(end), out_(out) {}

  bool read() {
    auto head = static_cast<uint8_t>(*p_++);
    out_ = Value{};
    if (head < kFixMap) return uint(head);
    if (head < kFixArray) return container<2>(Kind::kMap, head & 0x0f);
    if (head < kFixString) return container<1>(Kind::kArray, head & 0x0f);
    if (head < kNil) return payload(Kind::kString, head & 0x1f);
    if (head >= kFixNegative) return integer(static_cast<int8_t>(head));
    return wide(head);
  }
  const char* position() const { return p_; }

 private:
  size_t room() const { return static_cast<size_t>(end_ - p_); }

  bool wide(uint8_t head) {
    switch (head) {
      case kNil: return true;
      case kFalse:
      case kTrue: return boolean(head == kTrue);
      case kBinary8: return sized<uint8_t>(Kind::kBinary);
      case kBinary16: return sized<uint16_t>(Kind::kBinary);
      case kBinary32: return sized<uint32_t>(Kind::kBinary);
      case kExtension8: return extension_sized<uint8_t>();
      case kExtension16: return extension_sized<uint16_t>();
      case kExtension32: return extension_sized<uint32_t>();
      case kFloat32: return floating<uint32_t, float>();
      case kFloat64: return floating<uint64_t, double>();
      case kUint8: return uint_of<uint8_t>();
      case kUint16: return uint_of<uint16_t>();
      case kUint32: return uint_of<uint32_t>();
      case kUint64: return uint_of<uint64_t>();
      case kInt8: return int_of<uint8_t, int8_t>();
      case kInt16: return int_of<uint16_t, int16_t>();
      case kInt32: return int_of<uint32_t, int32_t>();
      case kInt64: return int_of<uint64_t, int64_t>();
      case kFixExtension1: return extension(1);
      case kFixExtension2: return extension(2);
      case kFixExtension4: return extension(4);
      case kFixExtension8: return extension(8);
      case kFixExtension16: return extension(16);
      case kString8: return sized<uint8_t>(Kind::kString);
      case kString16: return sized<uint16_t>(Kind::kString);
      case kString32: return sized<uint32_t>(Kind::kString);
      case kArray16: return counted<uint16_t, 1>(Kind::kArray);
      case kArray32: return counted<uint32_t, 1>(Kind::kArray);
      case kMap16: return counted<uint16_t, 2>(Kind::kMap);
      case kMap32: return counted<uint32_t, 2>(Kind::kMap);
      default: return false;  // kNeverUsed
    }
  }

  template <class T>
  bool number(T& n) {
    if (room() < sizeof n) return false;
    n = load_be<T>(p_);
    p_ += sizeof n;
    return true;
  }

  bool boolean(bool v) {
    out_.kind = Kind::kBool;
    out_.u = 0;
    out_.boolean = v;
    return true;
  }
  bool uint(uint64_t v) {
    out_.kind = Kind::kUint;
    out_.u = v;
    return true;
  }
  bool integer(int64_t v) {
    out_.kind = v < 0 ? Kind::kInt : Kind::kUint;
    out_.i = v;
    return true;
  }
  template <class T>
  bool uint_of() {
    T n;
    return number(n) && uint(n);
  }
  template <class T, class Signed>
  bool int_of() {
    T n;
    return number(n) && integer(static_cast<Signed>(n));
  }
  template <class T, class Float>
  bool floating() {
    T n;
    if (!number(n)) return false;
    out_.kind = Kind::kFloat;
    out_.f = static_cast<double>(std::bit_cast<Float>(n));
    return true;
  }

  bool payload(Kind kind, size_t n) {
    if (room() < n) return false;
    out_.kind = kind;
    out_.bytes = Bytes(p_, n);
    p_ += n;
    return true;
  }
  template <class T>
  bool sized(Kind kind) {
    T n;
    return number(n) && payload(kind, n);
  }

  // Every element takes a byte at least: a count that the rest cannot hold is refused here, before anybody believes it.
  template <uint64_t kValuesEach>
  bool container(Kind kind, uint32_t count) {
    if (room() < kValuesEach * count) return false;
    out_.kind = kind;
    out_.count = count;
    return true;
  }
  template <class T, uint64_t kValuesEach>
  bool counted(Kind kind) {
    T n;
    return number(n) && container<kValuesEach>(kind, n);
  }

  template <class T>
  bool extension_sized() {
    T n;
    return number(n) && extension(n);
  }
  bool extension(size_t n) {
    uint8_t type;
    if (!number(type) || !payload(Kind::kExtension, n)) return false;
    out_.extension_type = static_cast<int8_t>(type);
    if (out_.extension_type == kTimestamp) timestamp();
    return true;
  }

  // Turns the extension just read into a time if its payload is one of the three forms; leaves it as it is otherwise.
  void timestamp() {
    const char* p = out_.bytes.data();
    uint32_t nanos = 0;
    int64_t seconds = 0;
    switch (out_.bytes.size()) {
      case 4: seconds = load_be<uint32_t>(p); break;
      case 8: {
        uint64_t both = load_be<uint64_t>(p);
        nanos = static_cast<uint32_t>(both >> 34);
        seconds = static_cast<int64_t>(both & 0x3ffffffffULL);
        break;
      }
      case 12:
        nanos = load_be<uint32_t>(p);
        seconds = static_cast<int64_t>(load_be<uint64_t>(p + 4));
        break;
      default: return;
    }
    if (nanos >= kNanosPerSecond) return;
    out_.kind = Kind::kTime;
    out_.i = seconds;
    out_.nanoseconds = nanos;
  }

  const char* p_;
  const char* end_;
  Value& out_;
};

// How to step over a value, by its first byte: `fixed` bytes (0: no value begins so), of which the last `length_bytes`
// but those of an extension's type hold a number n, in big endian, at offset 1; then n payload bytes (each == 0) or n *
// each values follow; `values` more follow from the byte itself.
struct Step {
  uint8_t fixed = 0;
  uint8_t length_bytes = 0;
  uint8_t each = 0;
  uint8_t values = 0;
};

constexpr std::array<Step, 256> make_steps() {
  std::array<Step, 256> s{};
  for (size_t h = 0; h < 256; ++h) {
    auto low = static_cast<uint8_t>(h & 0x0f);
    if (h < kFixMap || h >= kFixNegative || h == kNil || h == kFalse || h == kTrue) s[h] = {1, 0, 0, 0};
    else if (h < kFixArray) s[h] = {1, 0, 0, static_cast<uint8_t>(2 * low)};
    else if (h < kFixString) s[h] = {1, 0, 0, low};
    else if (h < kNil) s[h] = {static_cast<uint8_t>(1 + (h & 0x1f)), 0, 0, 0};
  }
  for (uint8_t i = 0; i < 3; ++i) {
    auto width = static_cast<uint8_t>(1 << i);
    s[kBinary8 + i] = s[kString8 + i] = {static_cast<uint8_t>(1 + width), width, 0, 0};
    s[kExtension8 + i] = {static_cast<uint8_t>(2 + width), width, 0, 0};
  }
  for (uint8_t i = 0; i < 2; ++i) {
    auto width = static_cast<uint8_t>(2 << i);
    s[kArray16 + i] = {static_cast<uint8_t>(1 + width), width, 1, 0};
    s[kMap16 + i] = {static_cast<uint8_t>(1 + width), width, 2, 0};
    s[kFloat32 + i] = {static_cast<uint8_t>(1 + 2 * width), 0, 0, 0};
  }
  for (uint8_t i = 0; i < 4; ++i)
    s[kUint8 + i] = s[kInt8 + i] = {static_cast<uint8_t>(1 + (1 << i)), 0, 0, 0};
  for (uint8_t i = 0; i < 5; ++i) s[kFixExtension1 + i] = {static_cast<uint8_t>(2 + (1 << i)), 0, 0, 0};
  return s;
}

constexpr auto kSteps = make_steps();

uint64_t length_at(const char* p, uint8_t bytes) {
  if (bytes == 1) return load_be<uint8_t>(p);
  if (bytes == 2) return load_be<uint16_t>(p);
  return load_be<uint32_t>(p);
}

}  // namespace

bool Cursor::next(Value& out) {
  if (p_ == end_) return bad();
  HeadReader reader(p_, end_, out);
  if (!reader.read()) return bad();
  p_ = reader.position();
  return true;
}

bool Cursor::skip() {
  const char* p = p_;
  // Values still to be stepped over. Each needs a byte, so it never exceeds what is left of the input, and cannot
  // overflow.
  for (uint64_t left = 1; left > 0;) {
    auto room = static_cast<size_t>(end_ - p);
    if (left > room) return bad();
    Step s = kSteps[static_cast<uint8_t>(*p)];
    if (s.fixed == 0 || s.fixed > room) return bad();
    --left;
    left += s.values;
    if (s.length_bytes != 0) {
      uint64_t n = length_at(p + 1, s.length_bytes);
      if (n > room - s.fixed) return bad();
      left += n * s.each;
      if (s.each == 0) p += n;
    }
    p += s.fixed;
  }
  p_ = p;
  return true;
}

Bytes Cursor::raw() {
  const char* start = p_;
  if (!skip()) return {};
  return Bytes(start, static_cast<size_t>(p_ - start));
}

bool Cursor::long_string(Bytes& out) {
  Value v;
  if (!next(v)) return false;
  if (v.kind != Kind::kString) return bad();
  out = v.bytes;
  return true;
}

std::optional<Bytes> lookup(Bytes map, std::string_view key) {
  Cursor c(map);
  Value head;
  if (!c.next(head) || head.kind != Kind::kMap) return std::nullopt;
  for (uint32_t i = 0; i < head.count; ++i) {
    Value k;
    if (!c.next(k)) return std::nullopt;
    if (k.kind != Kind::kString) {
      // A key that is itself a container: not ours to find, but its parts must be stepped over.
      for (uint64_t n = k.kind == Kind::kMap ? 2ULL * k.count : k.count; n > 0; --n)
        if (!c.skip()) return std::nullopt;
    } else if (k.bytes == key) {
      Bytes value = c.raw();
      if (!c.ok()) return std::nullopt;
      return value;
    }
    if (!c.skip()) return std::nullopt;
  }
  return std::nullopt;
}

namespace {

template <std::unsigned_integral T>
void put(Buffer& out, uint8_t head, T v) {
  char* p = grow(out, 1 + sizeof v);
  *p = static_cast<char>(head);
  store_be(p + 1, v);
}

// Appends a head and a length in the narrowest of the forms `head8` (0: there is none), `head8 + 1`, `head8 + 2`.
void put_length(Buffer& out, uint8_t head8, uint8_t head16, uint64_t n) {
  HF_ASSERT(n <= UINT32_MAX, "limits on documents and frames lie far below 4 GiB");
  if (head8 != 0 && n <= UINT8_MAX) return put(out, head8, static_cast<uint8_t>(n));
  if (n <= UINT16_MAX) return put(out, head16, static_cast<uint16_t>(n));
  put(out, static_cast<uint8_t>(head16 + 1), static_cast<uint32_t>(n));
}

}  // namespace

Writer& Writer::nil() {
  out_.push_back(static_cast<char>(kNil));
  return *this;
}

Writer& Writer::boolean(bool v) {
  out_.push_back(static_cast<char>(v ? kTrue : kFalse));
  return *this;
}

Writer& Writer::uint(uint64_t v) {
  if (v < kFixMap) out_.push_back(static_cast<char>(v));
  else if (v <= UINT8_MAX) put(out_, kUint8, static_cast<uint8_t>(v));
  else if (v <= UINT16_MAX) put(out_, kUint16, static_cast<uint16_t>(v));
  else if (v <= UINT32_MAX) put(out_, kUint32, static_cast<uint32_t>(v));
  else put(out_, kUint64, v);
  return *this;
}

Writer& Writer::integer(int64_t v) {
  if (v >= 0) return uint(static_cast<uint64_t>(v));
  if (v >= -32) out_.push_back(static_cast<char>(v));
  else if (v >= INT8_MIN) put(out_, kInt8, static_cast<uint8_t>(v));
  else if (v >= INT16_MIN) put(out_, kInt16, static_cast<uint16_t>(v));
  else if (v >= INT32_MIN) put(out_, kInt32, static_cast<uint32_t>(v));
  else put(out_, kInt64, static_cast<uint64_t>(v));
  return *this;
}

Writer& Writer::int64(int64_t v) {
  put(out_, kInt64, static_cast<uint64_t>(v));
  return *this;
}

Writer& Writer::float64(double v) {
  put(out_, kFloat64, std::bit_cast<uint64_t>(v));
  return *this;
}

Writer& Writer::string(std::string_view v) {
  if (v.size() < 32) out_.push_back(static_cast<char>(kFixString | v.size()));
  else put_length(out_, kString8, kString16, v.size());
  out_.append(v);
  return *this;
}

Writer& Writer::binary(Bytes v) {
  put_length(out_, kBinary8, kBinary16, v.size());
  out_.append(v);
  return *this;
}

Writer& Writer::array(uint32_t count) {
  if (count < 16) out_.push_back(static_cast<char>(kFixArray | count));
  else put_length(out_, 0, kArray16, count);
  return *this;
}

Writer& Writer::map(uint32_t pairs) {
  if (pairs < 16) out_.push_back(static_cast<char>(kFixMap | pairs));
  else put_length(out_, 0, kMap16, pairs);
  return *this;
}

Writer& Writer::time(int64_t seconds, uint32_t nanoseconds) {
  HF_ASSERT(nanoseconds < kNanosPerSecond, "a whole second belongs to `seconds`");
  char payload[12];
  size_t size = 12;
  if (seconds < 0 || seconds >> 34 != 0) {
    store_be(payload, nanoseconds);
    store_be(payload + 4, static_cast<uint64_t>(seconds));
  } else if (nanoseconds != 0 || seconds > UINT32_MAX) {
    size = 8;
    store_be(payload, static_cast<uint64_t>(nanoseconds) << 34 | static_cast<uint64_t>(seconds));
  } else {
    size = 4;
    store_be(payload, static_cast<uint32_t>(seconds));
  }
  return extension(kTimestamp, Bytes(payload, size));
}

Writer& Writer::extension(int8_t type, Bytes payload) {
  if (std::has_single_bit(payload.size()) && payload.size() <= 16)
    out_.push_back(static_cast<char>(kFixExtension1 + std::countr_zero(payload.size())));
  else put_length(out_, kExtension8, kExtension16, payload.size());
  out_.push_back(static_cast<char>(type));
  out_.append(payload);
  return *this;
}

Writer& Writer::raw(Bytes encoded) {
  out_.append(encoded);
  return *this;
}

}  // namespace holdfast::msgpack
