// The judge of accounts: no snapshot in which money is made or lost, or an account overdrawn.
#include "chaos/oracle/bank_history.h"

#include <gtest/gtest.h>

namespace holdfast::chaos {
namespace {

using Floor = BankHistory::Floor;

/// Four accounts with 10 each, two to an owner.
BankHistory bank(Floor floor) {
  BankHistory out({.accounts = 4, .accounts_per_owner = 2, .first_balance = 10, .floor = floor});
  out.made(Lsn(3));
  return out;
}

std::string shows(BankHistory& b, std::vector<int64_t> balances, uint64_t lsn) {
  std::map<BankHistory::Account, int64_t> all;
  for (auto balance : balances) all.emplace(all.size(), balance);
  return b.saw(all, Lsn(lsn));
}

TEST(BankHistory, TheTotalStays) {
  BankHistory b = bank(Floor::kAccount);
  EXPECT_EQ(shows(b, {10, 10, 10, 10}, 3), "");
  EXPECT_EQ(shows(b, {0, 20, 13, 7}, 5), "");
  EXPECT_EQ(shows(b, {0, 20, 13, 17}, 6), "all accounts have 50 together at LSN 6, but 40 were put there");
  EXPECT_EQ(shows(b, {0, 20, 13, 6}, 6), "all accounts have 39 together at LSN 6, but 40 were put there");
}

TEST(BankHistory, OneLsnHasOneSetOfBalances) {
  BankHistory b = bank(Floor::kNone);
  EXPECT_EQ(shows(b, {5, 15, 10, 10}, 5), "");
  EXPECT_EQ(shows(b, {5, 15, 10, 10}, 5), "");
  EXPECT_EQ(shows(b, {4, 16, 10, 10}, 5), "account 0 has 5 at LSN 5, and at the same LSN it has 4");
}

TEST(BankHistory, AllAccountsAreThereOrNone) {
  BankHistory b = bank(Floor::kNone);
  EXPECT_EQ(shows(b, {}, 2), "");
  EXPECT_EQ(shows(b, {10, 10, 10}, 2), "3 of 4 accounts are there at LSN 2");
  EXPECT_EQ(shows(b, {}, 3), "0 of 4 accounts are there at LSN 3");
  BankHistory early = bank(Floor::kNone);
  EXPECT_EQ(shows(early, {10, 10, 10, 10}, 2), "");
  EXPECT_NE(shows(early, {}, 2), "") << "they were seen there";
}

TEST(BankHistory, NothingIsOverdrawnThatMustNotBe) {
  for (Floor floor : {Floor::kNone, Floor::kOwner, Floor::kAccount}) {
    BankHistory b = bank(floor);
    EXPECT_EQ(shows(b, {-5, 15, 20, 10}, 5).empty(), floor != Floor::kAccount);
    EXPECT_EQ(shows(b, {-5, 4, 31, 10}, 6).empty(), floor == Floor::kNone);
  }
  BankHistory b = bank(Floor::kOwner);
  EXPECT_EQ(shows(b, {30, 11, -5, 4}, 6), "the accounts of owner 1 have -1 together at LSN 6");
}

TEST(BankHistory, ALossStartsAnew) {
  BankHistory b = bank(Floor::kNone);
  EXPECT_EQ(shows(b, {5, 15, 10, 10}, 5), "");
  b.restarted(Lsn(5), false);
  EXPECT_NE(shows(b, {4, 16, 10, 10}, 5), "");
  b.restarted(Lsn(4), true);
  EXPECT_EQ(shows(b, {4, 16, 10, 10}, 5), "");
  EXPECT_NE(shows(b, {}, 3), "");
  b.restarted(Lsn(2), true);
  EXPECT_EQ(shows(b, {}, 4), "") << "they were lost, too";
}

}  // namespace
}  // namespace holdfast::chaos
