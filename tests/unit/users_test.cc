#include "server/users.h"

#include <gtest/gtest.h>

#include "server/logins.h"
#include "tests/support/hex.h"

namespace holdfast::server {
namespace {

using test::counting;

wire::Verifier verifier(const char* password, int salt = 1) {
  return *wire::make_verifier(password, counting(16, salt), wire::kLeastCost);
}

Users nobody() { return Users(wire::Key(counting(32, 10)), wire::Key(counting(32, 20))); }

Users some() {
  Users out = nobody();
  EXPECT_TRUE(out.add({.name = "bob", .role = wire::Role::kReadOnly, .verifier = verifier("b")}));
  EXPECT_TRUE(out.add({.name = "ada", .role = wire::Role::kReadWrite, .verifier = verifier("a")}));
  return out;
}

TEST(Users, ComeBackFromTheirBytes) {
  for (const Users& users : {nobody(), some()}) {
    auto back = Users::decode(users.encode());
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(back->all(), users.all());
    EXPECT_EQ(back->guarded(), users.guarded());
    EXPECT_TRUE(wire::equal(back->key(), users.key()));
    EXPECT_EQ(back->encode(), users.encode());
  }
}

TEST(Users, DamageIsNoticedInEveryBitAndAtEveryLength) {
  const Buffer good = some().encode();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Buffer bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(Users::decode(bad)) << bit;
  }
  for (size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(Users::decode(Bytes(good).substr(0, n))) << n;
  EXPECT_FALSE(Users::decode(good + '\0'));
}

TEST(Users, StayGuardedWhenAllAreRemoved) {
  Users users = some();
  EXPECT_TRUE(users.guarded());
  EXPECT_TRUE(users.remove("ada"));
  EXPECT_TRUE(users.remove("bob"));
  EXPECT_TRUE(users.all().empty());
  EXPECT_TRUE(users.guarded());
  EXPECT_TRUE(Users::decode(users.encode())->guarded());
  EXPECT_FALSE(nobody().guarded());
}

TEST(Users, RefuseWhatMakesNoSense) {
  Users users = some();
  EXPECT_EQ(users.add({.name = "ada", .verifier = verifier("x")}).error().code, Code::kDuplicateKey);
  EXPECT_EQ(users.add({.name = "a b", .verifier = verifier("x")}).error().code, Code::kBadRequest);
  EXPECT_EQ(users.change("eve", verifier("x")).error().code, Code::kNotFound);
  EXPECT_EQ(users.remove("eve").error().code, Code::kNotFound);
  for (wire::PasswordCost cost : {wire::PasswordCost{0, 8}, wire::PasswordCost{1, 7}, wire::PasswordCost{65, 8},
                                  wire::PasswordCost{1, UINT32_MAX}}) {
    wire::Verifier v = verifier("x");
    v.cost = cost;
    EXPECT_EQ(users.change("ada", v).error().code, Code::kBadRequest);
  }
  wire::Verifier zero = verifier("x");
  zero.key = {};
  EXPECT_EQ(users.change("ada", zero).error().code, Code::kBadRequest);
  EXPECT_EQ(users.all(), some().all());
}

TEST(Users, AreBounded) {
  Users users = nobody();
  wire::Verifier v = verifier("x");
  for (size_t i = 0; i < Users::kMax; ++i) ASSERT_TRUE(users.add({.name = "u" + std::to_string(i), .verifier = v}));
  EXPECT_EQ(users.add({.name = "more", .verifier = v}).error().code, Code::kOverloaded);
  EXPECT_LE(users.encode().size(), Users::kFileBytesMax);
}

TEST(Users, OfNamesThatNobodyHasLookLikeOthersAndTheSameEveryTime) {
  Users users = some();
  auto one = users.find("eve", {.passes = 3, .memory_kib = 64});
  auto again = users.find("eve", {.passes = 3, .memory_kib = 64});
  auto other = users.find("mallory", {.passes = 3, .memory_kib = 64});
  EXPECT_FALSE(one.known);
  EXPECT_EQ(one.verifier, again.verifier);
  EXPECT_NE(one.verifier.salt, other.verifier.salt);
  EXPECT_NE(one.verifier.key, other.verifier.key);
  EXPECT_EQ(one.verifier.cost.passes, 3u);
  EXPECT_NE(Users(wire::Key(counting(32, 10)), wire::Key(counting(32, 21))).find("eve", {}).verifier.salt,
            one.verifier.salt)
      << "nobody can compute it who has not the secret";
  auto ada = users.find("ada", {});
  EXPECT_TRUE(ada.known);
  EXPECT_EQ(ada.verifier, verifier("a"));
  EXPECT_EQ(ada.role, wire::Role::kReadWrite);
  EXPECT_FALSE(users.find("", {}).known);
}

TEST(Logins, KeepSomebodyWhoMayManageUsers) {
  Logins logins{.users = some(), .psk = std::nullopt};
  EXPECT_EQ(apply({.kind = UserChange::Kind::kRemove, .user = {.name = "ada"}}, logins).error().code,
            Code::kBadRequest);
  EXPECT_TRUE(apply({.kind = UserChange::Kind::kAdd,
                     .user = {.name = "eve", .role = wire::Role::kReadWrite, .verifier = verifier("e")}},
                    logins));
  EXPECT_TRUE(apply({.kind = UserChange::Kind::kRemove, .user = {.name = "ada"}}, logins));
  EXPECT_TRUE(apply({.kind = UserChange::Kind::kRemove, .user = {.name = "bob"}}, logins));
  logins.psk = *make_psk_login("admin", "old", counting(16), wire::kLeastCost);
  EXPECT_TRUE(apply({.kind = UserChange::Kind::kRemove, .user = {.name = "eve"}}, logins));
  EXPECT_EQ(apply({.kind = UserChange::Kind::kAdd, .user = {.name = "admin", .verifier = verifier("e")}}, logins)
                .error()
                .code,
            Code::kBadRequest);
}

TEST(Logins, TakeNoFirstUserWhoMayOnlyReadUnlessThatOfUsernameMayWrite) {
  Logins logins{.users = nobody(), .psk = std::nullopt};
  UserChange solo{.kind = UserChange::Kind::kAdd,
                  .user = {.name = "solo", .role = wire::Role::kReadOnly, .verifier = verifier("s")}};
  Result<> refused = apply(solo, logins);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kBadRequest);
  EXPECT_TRUE(refused.error().message.contains("add one of role read-write first")) << refused.error().message;
  EXPECT_TRUE(refused.error().message.contains("--username")) << refused.error().message;
  EXPECT_FALSE(logins.guarded()) << "nothing is changed";
  Logins with = logins;
  with.psk = *make_psk_login("admin", "old", counting(16), wire::kLeastCost);
  EXPECT_TRUE(apply(solo, with));
  // Where a directory has such users alone, they can be removed and given other passwords, and a writer added.
  logins.users = *with.users;
  solo.kind = UserChange::Kind::kPasswd;
  EXPECT_TRUE(apply(solo, logins));
  EXPECT_TRUE(apply({.kind = UserChange::Kind::kAdd, .user = {.name = "ada", .verifier = verifier("a")}}, logins));
  EXPECT_TRUE(apply({.kind = UserChange::Kind::kRemove, .user = {.name = "solo"}}, logins));
  Result<> last = apply({.kind = UserChange::Kind::kRemove, .user = {.name = "ada"}}, logins);
  ASSERT_FALSE(last);
  EXPECT_TRUE(last.error().message.contains("--username")) << last.error().message;
  EXPECT_EQ(logins.users->all().size(), 1u);
}

TEST(Logins, DecideWhatPlaintextMayDo) {
  auto may = [](const Logins& logins, From from, wire::Op op) {
    return logins.plain(from).may({.op = op}).has_value();
  };
  Logins none{.users = nobody(), .psk = std::nullopt};
  Logins guarded{.users = some(), .psk = std::nullopt};
  EXPECT_TRUE(may(none, From::kElsewhere, wire::Op::kInsertOne)) << "--insecure";
  EXPECT_TRUE(may(none, From::kThisMachine, wire::Op::kUserAdd));
  EXPECT_FALSE(may(none, From::kElsewhere, wire::Op::kUserAdd));
  EXPECT_TRUE(may(guarded, From::kThisMachine, wire::Op::kPing));
  EXPECT_FALSE(may(guarded, From::kThisMachine, wire::Op::kFind));
  EXPECT_FALSE(may(guarded, From::kElsewhere, wire::Op::kPing));
  EXPECT_FALSE(may(guarded, From::kElsewhere, wire::Op::kHello));
}

}  // namespace
}  // namespace holdfast::server
