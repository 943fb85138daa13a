// MessagePack (github.com/msgpack/msgpack, spec of 2017): a cursor that reads values in place and a writer that
// appends.
//
// The cursor borrows its input and allocates nothing; it accepts every legal width. The writer emits the shortest form,
// and offers the fixed forms that a format needs. Neither throws: a cursor that met bad bytes or the end answers false
// from then on.
#pragma once

#include <optional>

#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::msgpack {

enum class Kind : uint8_t {
  kNil,
  kBool,
  kUint,    ///< any non-negative integer, whatever its width and sign on the wire
  kInt,     ///< a negative integer
  kFloat,   ///< 32 or 64 bits wide on the wire
  kString,
  kBinary,
  kArray,
  kMap,
  kTime,  ///< extension -1 with a well-formed timestamp: 4, 8 or 12 bytes
  kExtension,
};

/// One value. Of containers only the head: `count` elements (arrays) or pairs (maps) follow in the cursor.
struct Value {
  Kind kind = Kind::kNil;
  int8_t extension_type = 0;
  union {
    bool boolean;
    uint64_t u = 0;
    int64_t i;
    double f;
  };
  uint32_t count = 0;
  uint32_t nanoseconds = 0;  ///< kTime: 0 … 999,999,999, added to `i`, the seconds since 1970
  Bytes bytes;               ///< kString, kBinary, kExtension, kTime: the payload, borrowed

  bool is_container() const { return kind == Kind::kArray || kind == Kind::kMap; }
};

class Cursor {
 public:
  explicit Cursor(Bytes in) : p_(in.data()), end_(in.data() + in.size()) {}

  /// Reads one value's head (a scalar whole). False at the end or on bytes that are no MessagePack. A container's count
  /// is never more than the bytes left could hold, so it is safe to reserve by.
  bool next(Value& out);
  /// Skips one whole value, containers with all they hold, in constant stack.
  bool skip();
  /// The bytes of one whole value, borrowed. Empty when there is none.
  Bytes raw();
  /// A string; false, and the cursor failed, when the next value is another kind.
  bool string(Bytes& out) {
    // Short strings, as most keys are, without a call.
    if (p_ != end_ && (static_cast<uint8_t>(*p_) & 0xe0) == 0xa0) {
      size_t n = static_cast<uint8_t>(*p_) & 0x1f;
      if (n < remaining()) {
        out = Bytes(p_ + 1, n);
        p_ += 1 + n;
        return true;
      }
    }
    return long_string(out);
  }

  /// False once a read failed; a read at the end is one that failed.
  bool ok() const { return ok_; }
  bool at_end() const { return p_ == end_; }
  size_t remaining() const { return static_cast<size_t>(end_ - p_); }

 private:
  bool long_string(Bytes& out);
  bool bad() {
    ok_ = false;
    p_ = end_;
    return false;
  }
  const char* p_;
  const char* end_;
  bool ok_ = true;
};

inline constexpr int kMaxDepth = 200;  ///< the largest Rules::max_depth

struct Rules {
  int max_depth = 100;        ///< a scalar is depth 0, an empty array depth 1
  bool string_keys = true;    ///< every map key is a UTF-8 string
  bool distinct_keys = true;  ///< the string keys of one map are distinct
};
/// Checks that `in` is exactly one well-formed value by those rules. Time is linear in the size (keys: n log n), stack
/// is bounded, and nothing is allocated unless more than 64 keys are open at once. Errors: kBadRequest, or kTooLarge
/// for depth; the message names the byte.
Result<> validate(Bytes in, const Rules& rules = {});

/// The raw bytes of the value under `key` in the map that `map` encodes; nothing when absent or not a map.
std::optional<Bytes> lookup(Bytes map, std::string_view key);

class Writer {
 public:
  explicit Writer(Buffer& out) : out_(out) {}

  Writer& nil();
  Writer& boolean(bool v);
  Writer& uint(uint64_t v);     ///< shortest
  Writer& integer(int64_t v);   ///< shortest
  Writer& int64(int64_t v);     ///< always nine bytes: what Holdfast computes
  Writer& float64(double v);
  Writer& string(std::string_view v);
  Writer& binary(Bytes v);
  Writer& array(uint32_t count);
  Writer& map(uint32_t pairs);
  Writer& time(int64_t seconds, uint32_t nanoseconds);  ///< the shortest of the three forms
  Writer& extension(int8_t type, Bytes payload);
  Writer& raw(Bytes encoded);  ///< one value, encoded already

 private:
  Buffer& out_;
};

}  // namespace holdfast::msgpack
