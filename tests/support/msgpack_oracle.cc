// msgpack-cxx as the oracle of our MessagePack. The only unit that includes it: 1.4 s of compilation, and its
// exceptions stay here.
#define MSGPACK_NO_BOOST
#include <msgpack.hpp>

#include <cmath>

#include "tests/support/msgpack_model.h"

namespace holdfast::test {
namespace {

constexpr int8_t kTimestamp = -1;

// Whether the payload of a timestamp extension is one of the three forms, and which time it is.
bool as_time(Bytes payload, timespec& out) {
  std::string with_type = char(kTimestamp) + std::string(payload);
  ::msgpack::object o;
  o.type = ::msgpack::type::EXT;
  o.via.ext.ptr = with_type.data();
  o.via.ext.size = static_cast<uint32_t>(payload.size());
  try {
    out = o.as<timespec>();
  } catch (const ::msgpack::type_error&) {
    return false;
  }
  return out.tv_nsec < 1'000'000'000;
}

struct Visitor : ::msgpack::null_visitor {
  Renderer r;
  bool visit_nil() { return r.nil(), true; }
  bool visit_boolean(bool v) { return r.boolean(v), true; }
  bool visit_positive_integer(uint64_t v) { return r.uint(v), true; }
  bool visit_negative_integer(int64_t v) { return r.integer(v), true; }
  bool visit_float32(float v) { return r.float64(static_cast<double>(v)), true; }
  bool visit_float64(double v) { return r.float64(v), true; }
  bool visit_str(const char* p, uint32_t n) { return r.payload('s', Bytes(p, n)), true; }
  bool visit_bin(const char* p, uint32_t n) { return r.payload('b', Bytes(p, n)), true; }
  bool visit_ext(const char* p, uint32_t n) {
    auto type = static_cast<int8_t>(*p);
    Bytes payload(p + 1, n - 1);
    timespec t;
    if (type == kTimestamp && as_time(payload, t)) r.time(t.tv_sec, static_cast<uint32_t>(t.tv_nsec));
    else r.extension(type, payload);
    return true;
  }
  bool start_array(uint32_t n) { return r.container('[', n), true; }
  bool start_map(uint32_t n) { return r.container('{', n), true; }
};

struct PackerTarget {
  Buffer& out;
  void write(const char* p, size_t n) { out.append(p, n); }
};

using Packer = ::msgpack::packer<PackerTarget>;

void pack_payload(const Model& v, Packer& p) {
  auto n = static_cast<uint32_t>(v.bytes.size());
  if (v.kind == msgpack::Kind::kString) p.pack_str(n).pack_str_body(v.bytes.data(), n);
  else if (v.kind == msgpack::Kind::kBinary) p.pack_bin(n).pack_bin_body(v.bytes.data(), n);
  else p.pack_ext(n, v.extension_type).pack_ext_body(v.bytes.data(), n);
}

// The packer writes a float with an integral value as an integer; then the nine bytes are written here.
void pack_float(const Model& v, PackerTarget& target, Packer& p) {
  auto f = std::bit_cast<double>(v.number);
  if (std::trunc(f) != f) {
    p.pack_double(f);
    return;
  }
  target.out.push_back('\xcb');
  append_be(target.out, v.number);
}

void pack(const Model& v, PackerTarget& target, Packer& p) {
  using msgpack::Kind;
  switch (v.kind) {
    case Kind::kNil: p.pack_nil(); break;
    case Kind::kBool: v.number != 0 ? p.pack_true() : p.pack_false(); break;
    case Kind::kUint: p.pack_uint64(v.number); break;
    case Kind::kInt: p.pack_int64(static_cast<int64_t>(v.number)); break;
    case Kind::kFloat: pack_float(v, target, p); break;
    case Kind::kTime: p.pack(timespec{static_cast<int64_t>(v.number), v.nanoseconds}); break;
    case Kind::kArray: p.pack_array(static_cast<uint32_t>(v.items.size())); break;
    case Kind::kMap: p.pack_map(static_cast<uint32_t>(v.items.size() / 2)); break;
    case Kind::kString:
    case Kind::kBinary:
    case Kind::kExtension: pack_payload(v, p); break;
  }
  for (const Model& item : v.items) pack(item, target, p);
}

}  // namespace

std::optional<Rendered> render_by_oracle(Bytes in) {
  Visitor v;
  size_t size = 0;
  if (!::msgpack::parse(in.data(), in.size(), size, v)) return std::nullopt;
  return Rendered{v.r.take(), size};
}

Buffer encode_by_oracle(const Model& value) {
  Buffer out;
  PackerTarget target{out};
  Packer p(target);
  pack(value, target, p);
  return out;
}

}  // namespace holdfast::test
