#include "tests/support/msgpack_model.h"

namespace holdfast::test {
namespace {

using msgpack::Kind;

void render_scalar(const Model& v, Renderer& r) {
  switch (v.kind) {
    case Kind::kNil: return r.nil();
    case Kind::kBool: return r.boolean(v.number != 0);
    case Kind::kUint: return r.uint(v.number);
    case Kind::kInt: return r.integer(static_cast<int64_t>(v.number));
    case Kind::kFloat: return r.float64(std::bit_cast<double>(v.number));
    case Kind::kString: return r.payload('s', v.bytes);
    case Kind::kBinary: return r.payload('b', v.bytes);
    case Kind::kTime: return r.time(static_cast<int64_t>(v.number), v.nanoseconds);
    case Kind::kExtension: return r.extension(v.extension_type, v.bytes);
    case Kind::kArray:
    case Kind::kMap: break;
  }
}

void render_into(const Model& v, Renderer& r) {
  if (v.kind == Kind::kArray) r.container('[', v.items.size());
  else if (v.kind == Kind::kMap) r.container('{', v.items.size() / 2);
  else return render_scalar(v, r);
  for (const Model& item : v.items) render_into(item, r);
}

void encode_into(const Model& v, msgpack::Writer& w) {
  switch (v.kind) {
    case Kind::kNil: w.nil(); break;
    case Kind::kBool: w.boolean(v.number != 0); break;
    case Kind::kUint: w.uint(v.number); break;
    case Kind::kInt: w.integer(static_cast<int64_t>(v.number)); break;
    case Kind::kFloat: w.float64(std::bit_cast<double>(v.number)); break;
    case Kind::kString: w.string(v.bytes); break;
    case Kind::kBinary: w.binary(v.bytes); break;
    case Kind::kTime: w.time(static_cast<int64_t>(v.number), v.nanoseconds); break;
    case Kind::kExtension: w.extension(v.extension_type, v.bytes); break;
    case Kind::kArray: w.array(static_cast<uint32_t>(v.items.size())); break;
    case Kind::kMap: w.map(static_cast<uint32_t>(v.items.size() / 2)); break;
  }
  for (const Model& item : v.items) encode_into(item, w);
}

void render_value(const msgpack::Value& v, Renderer& r) {
  switch (v.kind) {
    case Kind::kNil: return r.nil();
    case Kind::kBool: return r.boolean(v.boolean);
    case Kind::kUint: return r.uint(v.u);
    case Kind::kInt: return r.integer(v.i);
    case Kind::kFloat: return r.float64(v.f);
    case Kind::kString: return r.payload('s', v.bytes);
    case Kind::kBinary: return r.payload('b', v.bytes);
    case Kind::kTime: return r.time(v.i, v.nanoseconds);
    case Kind::kExtension: return r.extension(v.extension_type, v.bytes);
    case Kind::kArray: return r.container('[', v.count);
    case Kind::kMap: return r.container('{', v.count);
  }
}

}  // namespace

std::string render(const Model& value) {
  Renderer r;
  render_into(value, r);
  return r.take();
}

Buffer encode(const Model& value) {
  Buffer out;
  msgpack::Writer w(out);
  encode_into(value, w);
  return out;
}

std::optional<Rendered> render_by_cursor(Bytes in) {
  msgpack::Cursor c(in);
  Renderer r;
  for (uint64_t left = 1; left > 0; --left) {
    msgpack::Value v;
    if (!c.next(v)) return std::nullopt;
    render_value(v, r);
    if (v.is_container()) left += v.kind == Kind::kMap ? 2ULL * v.count : v.count;
  }
  return Rendered{r.take(), in.size() - c.remaining()};
}

}  // namespace holdfast::test
