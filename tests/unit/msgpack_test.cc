// The MessagePack cursor and writer: every width, every truncation, and input that was made to hurt.
#include "io/base/msgpack.h"

#include <gtest/gtest.h>

#include <cmath>

namespace holdfast::msgpack {
namespace {

Buffer encode(auto&& write) {
  Buffer b;
  Writer w(b);
  write(w);
  return b;
}

Buffer bytes(std::initializer_list<int> list) {
  Buffer b;
  for (int i : list) b.push_back(static_cast<char>(i));
  return b;
}

Value one(Bytes in) {
  Cursor c(in);
  Value v;
  EXPECT_TRUE(c.next(v));
  EXPECT_TRUE(c.at_end());
  EXPECT_TRUE(c.ok());
  return v;
}

TEST(MsgpackWriter, UsesTheShortestIntegerForm) {
  struct Case {
    int64_t value;
    size_t size;
  };
  for (Case c : {Case{0, 1}, {127, 1}, {128, 2}, {255, 2}, {256, 3}, {65'535, 3}, {65'536, 5}, {4'294'967'295, 5},
                 {4'294'967'296, 9}, {INT64_MAX, 9}, {-1, 1}, {-32, 1}, {-33, 2}, {-128, 2}, {-129, 3}, {-32'768, 3},
                 {-32'769, 5}, {-2'147'483'648LL, 5}, {-2'147'483'649LL, 9}, {INT64_MIN, 9}}) {
    Buffer b = encode([&](Writer& w) { w.integer(c.value); });
    EXPECT_EQ(b.size(), c.size) << c.value;
    Value v = one(b);
    EXPECT_EQ(v.kind, c.value < 0 ? Kind::kInt : Kind::kUint) << c.value;
    EXPECT_EQ(v.i, c.value);
  }
  EXPECT_EQ(one(encode([](Writer& w) { w.uint(UINT64_MAX); })).u, UINT64_MAX);
}

TEST(MsgpackWriter, WritesInt64InNineBytesWhateverTheValue) {
  for (int64_t n : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1}, INT64_MAX}) {
    Buffer b = encode([&](Writer& w) { w.int64(n); });
    EXPECT_EQ(b.size(), 9u);
    EXPECT_EQ(one(b).i, n);
  }
}

TEST(MsgpackCursor, ReadsEveryWidthOfIntegersAsTheSameValue) {
  for (auto& wire : {bytes({5}), bytes({0xcc, 5}), bytes({0xcd, 0, 5}), bytes({0xce, 0, 0, 0, 5}),
                     bytes({0xcf, 0, 0, 0, 0, 0, 0, 0, 5}), bytes({0xd0, 5}), bytes({0xd1, 0, 5}),
                     bytes({0xd2, 0, 0, 0, 5}), bytes({0xd3, 0, 0, 0, 0, 0, 0, 0, 5})}) {
    Value v = one(wire);
    EXPECT_EQ(v.kind, Kind::kUint);
    EXPECT_EQ(v.u, 5u);
  }
  for (auto& wire :
       {bytes({0xfe}), bytes({0xd0, 0xfe}), bytes({0xd1, 0xff, 0xfe}), bytes({0xd2, 0xff, 0xff, 0xff, 0xfe}),
        bytes({0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe})}) {
    Value v = one(wire);
    EXPECT_EQ(v.kind, Kind::kInt);
    EXPECT_EQ(v.i, -2);
  }
}

TEST(MsgpackCursor, ReadsFloatsOfBothWidths) {
  EXPECT_EQ(one(bytes({0xca, 0x3f, 0xc0, 0, 0})).f, 1.5);
  EXPECT_EQ(one(encode([](Writer& w) { w.float64(-0.1); })).f, -0.1);
  EXPECT_TRUE(std::isnan(one(bytes({0xca, 0x7f, 0xc0, 0, 0})).f));
}

TEST(MsgpackCursor, ReadsNilAndBooleans) {
  EXPECT_EQ(one(bytes({0xc0})).kind, Kind::kNil);
  EXPECT_TRUE(one(bytes({0xc3})).boolean);
  EXPECT_FALSE(one(bytes({0xc2})).boolean);
  EXPECT_EQ(one(bytes({0xc2})).kind, Kind::kBool);
}

TEST(MsgpackCursor, ReadsStringsAndBinariesOfEveryLengthForm) {
  for (size_t n : {0, 1, 31, 32, 255, 256, 65'535, 65'536}) {
    Buffer payload(n, 'q');
    Buffer s_wire = encode([&](Writer& w) { w.string(payload); });
    Value s = one(s_wire);
    EXPECT_EQ(s.kind, Kind::kString);
    EXPECT_EQ(s.bytes, payload);
    Buffer b_wire = encode([&](Writer& w) { w.binary(payload); });
    Value b = one(b_wire);
    EXPECT_EQ(b.kind, Kind::kBinary);
    EXPECT_EQ(b.bytes, payload);
    Buffer e_wire = encode([&](Writer& w) { w.extension(7, payload); });
    Value e = one(e_wire);
    EXPECT_EQ(e.kind, Kind::kExtension);
    EXPECT_EQ(e.extension_type, 7);
    EXPECT_EQ(e.bytes, payload);
  }
  Buffer wide = bytes({0xdb, 0, 0, 0, 1, 'x'});
  EXPECT_EQ(one(wide).bytes, "x") << "a wide form of a short string is legal";
}

TEST(MsgpackWriter, UsesTheFixedExtensionForms) {
  for (size_t n : {1, 2, 4, 8, 16}) EXPECT_EQ(encode([&](Writer& w) { w.extension(1, Buffer(n, 'x')); }).size(), n + 2);
  EXPECT_EQ(encode([&](Writer& w) { w.extension(1, Buffer(3, 'x')); }).size(), 6u);
}

TEST(MsgpackTime, RoundTripsInTheShortestForm) {
  struct Case {
    int64_t seconds;
    uint32_t nanos;
    size_t size;
  };
  for (Case c : {Case{0, 0, 6}, {UINT32_MAX, 0, 6}, {0, 1, 10}, {1LL << 32, 0, 10}, {(1LL << 34) - 1, 999'999'999, 10},
                 {1LL << 34, 0, 15}, {-1, 0, 15}, {INT64_MIN, 999'999'999, 15}, {INT64_MAX, 5, 15}}) {
    Buffer b = encode([&](Writer& w) { w.time(c.seconds, c.nanos); });
    EXPECT_EQ(b.size(), c.size) << c.seconds;
    Value v = one(b);
    EXPECT_EQ(v.kind, Kind::kTime);
    EXPECT_EQ(v.i, c.seconds);
    EXPECT_EQ(v.nanoseconds, c.nanos);
  }
}

TEST(MsgpackTime, IsAnExtensionWhenMalformed) {
  EXPECT_EQ(one(bytes({0xd5, 0xff, 0, 0})).kind, Kind::kExtension) << "two bytes are no form";
  EXPECT_EQ(one(bytes({0xd7, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})).kind, Kind::kExtension)
      << "nanoseconds too large";
  EXPECT_EQ(one(bytes({0xd6, 0x01, 0, 0, 0, 0})).kind, Kind::kExtension) << "another type";
}

TEST(MsgpackCursor, ReadsContainersAsHeads) {
  for (uint32_t n : {0u, 1u, 15u, 16u, 65'535u, 65'536u}) {
    Buffer b = encode([&](Writer& w) {
      w.array(n);
      for (uint32_t i = 0; i < n; ++i) w.nil();
      w.map(n);
      for (uint32_t i = 0; i < 2 * n; ++i) w.nil();
    });
    Cursor c(b);
    Value v;
    ASSERT_TRUE(c.next(v));
    EXPECT_EQ(v.kind, Kind::kArray);
    EXPECT_EQ(v.count, n);
    for (uint32_t i = 0; i < n; ++i) ASSERT_TRUE(c.skip());
    ASSERT_TRUE(c.next(v));
    EXPECT_EQ(v.kind, Kind::kMap);
    EXPECT_EQ(v.count, n);
    EXPECT_EQ(c.remaining(), 2u * n);
    Cursor whole(b);
    EXPECT_TRUE(whole.skip());
    EXPECT_TRUE(whole.skip());
    EXPECT_TRUE(whole.at_end());
  }
}

// A value with every form of head in it.
Buffer everything() {
  return encode([](Writer& w) {
    w.map(6);
    w.string("numbers")
        .array(14)
        .uint(1)
        .uint(200)
        .uint(60'000)
        .uint(1u << 31)
        .uint(1ULL << 40)
        .integer(-3)
        .integer(-100);
    w.integer(-1'000).integer(-100'000).integer(-1LL << 40).int64(1).float64(0.5).boolean(true).nil();
    w.raw(bytes({0xa1, 'f'})).raw(bytes({0xca, 0, 0, 0, 0}));
    w.string("text")
        .array(4)
        .string("s")
        .string(Buffer(40, 'a'))
        .string(Buffer(300, 'b'))
        .raw(bytes({0xdb, 0, 0, 0, 2, 'o', 'k'}));
    w.string("raw").array(3).binary("b").binary(Buffer(300, 'b')).raw(bytes({0xc6, 0, 0, 0, 1, 'x'}));
    w.string("ext").array(9).time(1, 0).time(1, 1).time(-1, 1).extension(1, "1").extension(2, "22");
    w.extension(3, Buffer(16, '3'))
        .extension(4, "333")
        .extension(5, Buffer(300, '5'))
        .raw(bytes({0xc9, 0, 0, 0, 1, 6, 'x'}));
    w.string("deep").array(2).map(1).string("a").map(0).raw(
        bytes({0xdd, 0, 0, 0, 1, 0xdf, 0, 0, 0, 1, 0xa1, 'k', 0x01}));
  });
}

// Walks with next() alone; says whether it came to the end of one value.
bool walk(Bytes in) {
  Cursor c(in);
  Value v;
  for (uint64_t left = 1; left > 0; --left) {
    if (!c.next(v)) return false;
    if (v.is_container()) left += v.kind == Kind::kMap ? 2ULL * v.count : v.count;
  }
  return c.at_end();
}

TEST(MsgpackCursor, EveryTruncatedPrefixFailsCleanly) {
  Buffer whole = everything();
  ASSERT_TRUE(validate(whole)) << validate(whole).error().text();
  ASSERT_TRUE(walk(whole));
  for (size_t n = 0; n < whole.size(); ++n) {
    // A copy of exactly that size, so that AddressSanitizer sees any read past it.
    auto copy = std::make_unique<char[]>(n);
    std::copy_n(whole.data(), n, copy.get());
    Bytes prefix(copy.get(), n);
    Cursor c(prefix);
    EXPECT_FALSE(c.skip()) << n;
    EXPECT_FALSE(c.ok()) << n;
    EXPECT_FALSE(walk(prefix)) << n;
    EXPECT_FALSE(validate(prefix)) << n;
    EXPECT_TRUE(Cursor(prefix).raw().empty()) << n;
    (void)lookup(prefix, "none");
  }
}

TEST(MsgpackCursor, StaysFailedOnceItFailed) {
  Cursor c("\xc1\x01\x02");
  Value v;
  EXPECT_FALSE(c.next(v));
  EXPECT_FALSE(c.next(v));
  EXPECT_FALSE(c.skip());
  EXPECT_FALSE(c.ok());
  Cursor text("\x01\xa1x");
  Bytes s;
  EXPECT_FALSE(text.string(s)) << "a number is no string";
  EXPECT_FALSE(text.string(s)) << "and the cursor has failed";
}

TEST(MsgpackCursor, RefusesCountsThatTheBytesLeftCannotHold) {
  for (auto& wire : {bytes({0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0}), bytes({0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0, 0xc0}),
                     bytes({0xdc, 0, 2, 0xc0}), bytes({0x82, 0xa0, 0xc0, 0xa0}), bytes({0x93, 0xc0, 0xc0})}) {
    Cursor c(wire);
    Value v;
    EXPECT_FALSE(c.next(v));
    EXPECT_FALSE(Cursor(wire).skip());
    EXPECT_FALSE(validate(wire));
  }
}

TEST(MsgpackCursor, SkipsNestingBombsInConstantStack) {
  Buffer bomb(2'000'000, '\x91');
  EXPECT_FALSE(Cursor(bomb).skip()) << "the innermost element is missing";
  bomb.push_back('\xc0');
  EXPECT_TRUE(Cursor(bomb).skip());
  auto r = validate(bomb);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, Code::kTooLarge);
}

TEST(MsgpackCursor, SkipGivesUpEarlyWhenManyHeadsClaimMoreThanThereIs) {
  // Each head alone is possible; together they are not. The counter must neither overflow nor run on.
  Buffer heads;
  for (int i = 0; i < 100'000; ++i) heads += bytes({0xdd, 0, 0, 0xff, 0xff});
  EXPECT_FALSE(Cursor(heads).skip());
  EXPECT_FALSE(validate(heads, {.max_depth = kMaxDepth}));
}

Buffer nested(int depth) { return Buffer(static_cast<size_t>(depth) - 1, '\x91') + '\x90'; }

TEST(MsgpackValidate, AllowsExactlyTheStatedDepth) {
  EXPECT_TRUE(validate(nested(100)));
  EXPECT_FALSE(validate(nested(101)));
  EXPECT_TRUE(validate(bytes({1}), {.max_depth = 0}));
  EXPECT_FALSE(validate(nested(1), {.max_depth = 0}));
  EXPECT_TRUE(validate(nested(kMaxDepth), {.max_depth = kMaxDepth}));
}

TEST(MsgpackValidate, SaysWhichByteIsWrong) {
  auto message = [](Bytes in) { return validate(in).error().text(); };
  EXPECT_EQ(message(""), "bad_request: MessagePack, byte 0: the bytes end where a value should begin");
  EXPECT_EQ(message("\x01\x02"), "bad_request: MessagePack, byte 1: 1 more bytes follow a whole value");
  EXPECT_EQ(message("\x92\x01\xc1"), "bad_request: MessagePack, byte 2: 0xc1 begins no value");
  EXPECT_EQ(message("\x92\x01\xa3o"),
            "bad_request: MessagePack, byte 2: the value that begins here needs more than the 2 bytes left");
  EXPECT_EQ(message("\x81\x01\x01"), "bad_request: MessagePack, byte 1: a map's keys must be strings");
  EXPECT_EQ(message("\x81\xa1\xff\x01"), "bad_request: MessagePack, byte 1: a map's key is not UTF-8");
  EXPECT_EQ(message("\x82\xa1k\x01\xa1k\x02"),
            "bad_request: MessagePack, byte 4: the key \"k\" occurs twice in one map");
}

TEST(MsgpackValidate, FindsARepeatedKeyInSmallAndLargeMaps) {
  for (uint32_t n : {2u, 3u, 15u, 16u, 17u, 64u, 65u, 5'000u})
    for (uint32_t twin : {0u, 1u, n / 2, n - 1}) {
      Buffer b = encode([&](Writer& w) {
        w.map(n + 1);
        for (uint32_t i = 0; i < n; ++i) w.string("key " + std::to_string(i)).uint(i);
        w.string("key " + std::to_string(twin)).nil();
      });
      EXPECT_FALSE(validate(b)) << n << " " << twin;
      EXPECT_TRUE(validate(b, {.distinct_keys = false}));
    }
}

TEST(MsgpackValidate, LetsDifferentMapsUseTheSameKeys) {
  Buffer b = encode([](Writer& w) {
    w.map(2).string("a").map(2).string("a").uint(1).string("b").map(1).string("a").uint(2).string("b").array(2);
    w.map(1).string("a").nil().map(1).string("a").nil();
  });
  EXPECT_TRUE(validate(b)) << validate(b).error().text();
  Buffer after =
      encode([](Writer& w) { w.map(3).string("a").map(1).string("x").nil().string("b").nil().string("a").nil(); });
  EXPECT_FALSE(validate(after)) << "the outer map's keys are remembered over the inner map";
}

TEST(MsgpackValidate, TakesKeysOfOtherKindsWhenAsked) {
  Rules any{.string_keys = false};
  EXPECT_TRUE(validate("\x81\x01\x02", any));
  EXPECT_TRUE(validate("\x82\x92\x01\x02\x03\x81\x04\x05\x06", any)) << "containers as keys";
  EXPECT_TRUE(validate("\x81\x80\x90", any));
  EXPECT_FALSE(validate("\x81\x92\x01\x02", any)) << "a key without its value";
}

TEST(MsgpackLookup, FindsTheRawValueOfAKey) {
  Buffer b = everything();
  EXPECT_EQ(lookup(b, "deep")->size(), 18u);
  EXPECT_FALSE(lookup(b, "absent"));
  EXPECT_FALSE(lookup(b, "numbe"));
  EXPECT_FALSE(lookup("\x90", "a"));
  EXPECT_FALSE(lookup("", "a"));
  EXPECT_EQ(lookup("\x82\x92\x01\x81\x02\x03\x04\xa1k\xc3", "k"), "\xc3") << "steps over keys that are containers";
  EXPECT_FALSE(lookup("\x81\xa1k\xa5", "k")) << "the value is cut off";
}

}  // namespace
}  // namespace holdfast::msgpack
