// The judge of users that are changed while the server runs: it explains who may be let in, and nothing else.
#include "chaos/oracle/user_ledger.h"

#include <gtest/gtest.h>

namespace holdfast::chaos {
namespace {

using Kind = UserModel::Operation::Kind;

class UserLedgerTest : public testing::Test {
 protected:
  OperationId ask(Kind kind, uint64_t password = 0, bool may_write = false) {
    return users.invoke("u", {.kind = kind, .password = password, .may_write = may_write});
  }
  void does(Kind kind, uint64_t password = 0, bool done = true) { users.answer(ask(kind, password), {.done = done}); }
  void restart(Loss loss) {
    ledger.ended(loss);
    ledger.restarted(Lsn(0));
  }
  /// The one violation since it was last asked; all of them when there are several.
  std::string violation() {
    std::string all;
    for (; told < ledger.violations().size(); ++told) all += (all.empty() ? "" : "\n") + ledger.violations()[told];
    return all;
  }

  Ledger ledger{{.sync = false}};
  UserLedger users{ledger};
  size_t told = 0;
};

TEST_F(UserLedgerTest, AcceptsWhatOneClientDoesOneAfterTheOther) {
  does(Kind::kRemove, 0, false);
  does(Kind::kPasswd, 1, false);
  users.answer(ask(Kind::kAdd, 2, true), {.done = true});
  does(Kind::kAdd, 3, false);
  users.answer(ask(Kind::kList), {.done = true, .may_write = true});
  does(Kind::kLogIn, 2);
  does(Kind::kPasswd, 4);
  does(Kind::kLogIn, 4);
  does(Kind::kLogIn, 2, false);
  does(Kind::kRemove);
  does(Kind::kLogIn, 4, false);
  users.answer(ask(Kind::kList), {.done = false});
  EXPECT_EQ(violation(), "");
}

TEST_F(UserLedgerTest, AnOldPasswordIsNeverTaken) {
  does(Kind::kAdd, 1);
  does(Kind::kPasswd, 2);
  does(Kind::kLogIn, 1);
  EXPECT_EQ(violation(),
            "user u: log in with password 1 was answered done, but the user was read-only with password 2");
}

TEST_F(UserLedgerTest, WhoWasRemovedStaysOut) {
  does(Kind::kAdd, 1);
  does(Kind::kRemove);
  does(Kind::kLogIn, 1);
  EXPECT_EQ(violation(), "user u: log in with password 1 was answered done, but the user was absent");
}

TEST_F(UserLedgerTest, ARoleIsWhatWasAskedFor) {
  does(Kind::kAdd, 1);
  users.answer(ask(Kind::kList), {.done = true, .may_write = true});
  EXPECT_EQ(violation(), "user u: list was answered done, but the user was read-only with password 1");
}

TEST_F(UserLedgerTest, WhatWasAnsweredSurvivesInEitherMode) {
  for (Loss loss : {Loss::kNothing, Loss::kUnsynced}) {
    does(Kind::kAdd, 1);
    restart(loss);
    does(Kind::kLogIn, 1);
    does(Kind::kRemove);
    restart(loss);
    users.answer(ask(Kind::kList), {.done = false});
    EXPECT_EQ(violation(), "");
  }
  does(Kind::kLogIn, 1);
  EXPECT_NE(violation(), "");
}

TEST_F(UserLedgerTest, WithoutAnAnswerItHasHappenedOrNotAndStaysSo) {
  does(Kind::kAdd, 1);
  users.abandoned(ask(Kind::kPasswd, 2));
  restart(Loss::kNothing);
  does(Kind::kLogIn, 2);
  EXPECT_EQ(violation(), "");
  does(Kind::kLogIn, 1);
  EXPECT_NE(violation(), "");
}

TEST_F(UserLedgerTest, WhatWasRefusedHasNotBeenSeen) {
  does(Kind::kAdd, 1);
  OperationId refused = ask(Kind::kPasswd, 2);
  does(Kind::kLogIn, 2);
  users.refused(refused);
  EXPECT_EQ(violation(), "user u: change to password 2 was refused, but its effect has been seen");
}

TEST_F(UserLedgerTest, ALoginThatProvedNothingIsForgotten) {
  does(Kind::kAdd, 1);
  users.refused(ask(Kind::kLogIn, 2));
  users.abandoned(ask(Kind::kLogIn, 1));
  EXPECT_EQ(violation(), "");
  EXPECT_EQ(users.under_way("u"), 0u);
}

}  // namespace
}  // namespace holdfast::chaos
