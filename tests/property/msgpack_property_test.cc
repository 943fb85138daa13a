// Our MessagePack against msgpack-cxx: whatever one writes, the other reads as the same value.
#include "tests/support/msgpack_model.h"
#include "tests/support/property.h"

namespace holdfast::test {
namespace {

using msgpack::Kind;

// Numbers near the places where widths change, as often as any others.
rc::Gen<uint64_t> edgy_number() {
  return rc::gen::oneOf(
      rc::gen::arbitrary<uint64_t>(),
      rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 64), rc::gen::inRange(-2, 3)),
                   [](std::pair<int, int> p) { return (uint64_t{1} << p.first) + static_cast<uint64_t>(p.second); }));
}

Model scalar(int which, uint64_t number, Buffer bytes) {
  Model m;
  switch (which) {
    case 0: m.kind = Kind::kNil; break;
    case 1: m.kind = Kind::kBool, m.number = number & 1; break;
    case 2: m.kind = Kind::kUint, m.number = number; break;
    case 3: m.kind = Kind::kInt, m.number = number | 1ULL << 63; break;
    case 4: m.kind = Kind::kInt, m.number = ~(number >> 1 >> (number % 63)); break;
    case 5: m.kind = Kind::kFloat, m.number = number; break;
    case 6:
      m.kind = Kind::kTime, m.number = number, m.nanoseconds = static_cast<uint32_t>(number % 1'000'000'000);
      break;
    case 7: m.kind = Kind::kTime, m.number = number >> 30, m.nanoseconds = static_cast<uint32_t>(number & 1); break;
    case 8: m.kind = Kind::kString, m.bytes = std::move(bytes); break;
    case 9: m.kind = Kind::kBinary, m.bytes = std::move(bytes); break;
    default:
      m.kind = Kind::kExtension;
      m.extension_type = static_cast<int8_t>(number & 0x7f);  // not -1: that may be a time
      m.bytes = std::move(bytes);
      if (m.bytes.empty()) m.bytes = "x";
  }
  return m;
}

Model any_scalar() {
  Buffer payload = *rc::gen::oneOf(any_bytes(), bytes_up_to(300), bytes_up_to(70'000));
  return scalar(*rc::gen::inRange(0, 11), *edgy_number(), std::move(payload));
}

Model any_value(int depth) {
  if (depth == 0 || *rc::gen::inRange(0, 3) > 0) return any_scalar();
  Model m;
  bool map = *rc::gen::arbitrary<bool>();
  m.kind = map ? Kind::kMap : Kind::kArray;
  int count = *rc::gen::inRange(0, 4) + (depth == 1 && *rc::gen::inRange(0, 8) == 0 ? 14 : 0);
  for (int i = 0; i < count; ++i) {
    if (map) m.items.push_back(scalar(8, 0, "key " + std::to_string(i)));
    m.items.push_back(any_value(depth - 1));
  }
  return m;
}

// By parts, so that a failure shows them.
void expect_same(const std::optional<Rendered>& read, const Model& written, const Buffer& wire) {
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->text == render(written));
  RC_ASSERT(read->size == wire.size());
}

RC_GTEST_PROP(MsgpackProperty, OracleReadsWhatWeWrite, ()) {
  Model m = any_value(4);
  Buffer wire = encode(m);
  expect_same(render_by_oracle(wire), m, wire);
  expect_same(render_by_cursor(wire), m, wire);
}

RC_GTEST_PROP(MsgpackProperty, WeReadWhatTheOracleWrites, ()) {
  Model m = any_value(4);
  Buffer wire = encode_by_oracle(m);
  expect_same(render_by_cursor(wire), m, wire);
  RC_ASSERT(msgpack::validate(wire).has_value());
}

RC_GTEST_PROP(MsgpackProperty, WeWriteNoLongerThanTheOracle, ()) {
  Model m = any_value(3);
  RC_ASSERT(encode(m).size() <= encode_by_oracle(m).size());
}

RC_GTEST_PROP(MsgpackProperty, SkipAndRawTakeExactlyOneValue, ()) {
  Buffer first = encode(any_value(4));
  Buffer both = first + encode(any_value(2));
  msgpack::Cursor skipping(both), taking(both);
  RC_ASSERT(skipping.skip());
  RC_ASSERT(skipping.remaining() == both.size() - first.size());
  RC_ASSERT(taking.raw() == first);
}

RC_GTEST_PROP(MsgpackProperty, TruncationAlwaysFails, ()) {
  Buffer wire = encode(any_value(3));
  size_t cut = *rc::gen::inRange<size_t>(0, wire.size());
  RC_ASSERT(!render_by_cursor(Bytes(wire).substr(0, cut)));
  RC_ASSERT(!msgpack::Cursor(Bytes(wire).substr(0, cut)).skip());
  RC_ASSERT(!msgpack::validate(Bytes(wire).substr(0, cut)));
}

RC_GTEST_PROP(MsgpackProperty, AgreesWithTheOracleOnChangedBytes, ()) {
  Buffer wire = encode(any_value(3));
  wire[*rc::gen::inRange<size_t>(0, wire.size())] = *rc::gen::arbitrary<char>();
  RC_ASSERT(render_by_cursor(wire) == render_by_oracle(wire));
  RC_ASSERT(msgpack::Cursor(wire).skip() == render_by_oracle(wire).has_value());
}

}  // namespace
}  // namespace holdfast::test
