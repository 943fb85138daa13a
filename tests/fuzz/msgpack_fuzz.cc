// MessagePack against msgpack-cxx: both must agree on what is well formed, on the values, and on where a value ends;
// and what validate() lets through must survive being walked, skipped and looked up.
#include "io/base/msgpack.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/msgpack_model.h"

namespace holdfast {
namespace {

std::vector<Buffer> seeds() {
  std::vector<Buffer> out;
  auto add = [&](auto&& write) { write(msgpack::Writer(out.emplace_back())); };
  using W = msgpack::Writer;
  add([](W w) {
    w.array(12)
        .uint(1)
        .uint(200)
        .uint(60'000)
        .uint(1u << 31)
        .uint(~0ULL)
        .integer(-3)
        .integer(-100)
        .integer(-1'000)
        .integer(-100'000)
        .integer(INT64_MIN)
        .int64(1)
        .float64(0.5);
  });
  add([](W w) {
    w.map(3).string("_id").string("abc").string("tags").array(2).string("x").nil().string("when").time(1, 1);
  });
  add([](W w) {
    w.array(5).string(Buffer(40, 'a')).string(Buffer(300, 'b')).binary(Buffer(300, 'c')).binary("").boolean(true);
  });
  add([](W w) { w.array(7).time(1, 0).time(-1, 1).extension(1, "1").extension(2, "22").extension(3, Buffer(16, '3'))
                    .extension(4, "333").extension(5, Buffer(300, '5')); });
  add([](W w) {
    w.array(40);
    for (int i = 0; i < 20; ++i) w.map(1).string("k").map(0).nil();
  });
  out.emplace_back("\xca\x3f\x80\x00\x00", 5);
  out.emplace_back("\xdd\x00\x00\x00\x01\xdf\x00\x00\x00\x01\xdb\x00\x00\x00\x01k\xd3\x00\x00\x00\x00\x00\x00\x00\x05",
                   25);
  out.emplace_back("\x82\xa1k\x01\xa1k\x02");
  out.emplace_back(Buffer(150, '\x91') + '\xc0');
  return out;
}

void use(Bytes in) {
  (void)msgpack::lookup(in, "k");
  (void)msgpack::lookup(in, "absent");
}

}  // namespace

HOLDFAST_FUZZER(msgpack, seeds) {
  auto ours = test::render_by_cursor(input);
  FUZZ_CHECK(ours == test::render_by_oracle(input));

  msgpack::Cursor skipping(input);
  FUZZ_CHECK(skipping.skip() == ours.has_value());
  if (ours) FUZZ_CHECK(msgpack::Cursor(input).raw().size() == ours->size);

  constexpr msgpack::Rules kAnything{.max_depth = msgpack::kMaxDepth, .string_keys = false, .distinct_keys = false};
  auto loose = msgpack::validate(input, kAnything);
  bool whole = ours && ours->size == input.size();
  FUZZ_CHECK(loose.has_value() == whole || loose.error().code == Code::kTooLarge);
  if (msgpack::validate(input)) FUZZ_CHECK(whole);
  use(input);
}

}  // namespace holdfast
