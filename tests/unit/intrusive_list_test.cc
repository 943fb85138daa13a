#include "io/intrusive_list.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast::io {
namespace {

struct Item : ListNode {
  explicit Item(int n) : number(n) {}
  int number;
};

std::vector<int> drain(IntrusiveList& list) {
  std::vector<int> out;
  while (ListNode* n = list.pop_front()) out.push_back(static_cast<Item*>(n)->number);
  return out;
}

TEST(IntrusiveList, KeepsTheOrderOfPushing) {
  IntrusiveList list;
  Item a(1), b(2), c(3);
  for (Item* i : {&a, &b, &c}) list.push_back(*i);
  EXPECT_EQ(list.size(), 3u);
  EXPECT_EQ(list.front(), &a);
  list.push_back(a);
  EXPECT_EQ(list.size(), 3u) << "pushing what is linked moves it";
  EXPECT_EQ(drain(list), (std::vector<int>{2, 3, 1}));
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.pop_front(), nullptr);
}

TEST(IntrusiveList, NodesMayDieInAnyOrder) {
  std::array<int, 4> order{0, 1, 2, 3};
  do {
    IntrusiveList list;
    std::array<std::unique_ptr<Item>, 4> items;
    for (int i = 0; i < 4; ++i) list.push_back(*(items[static_cast<size_t>(i)] = std::make_unique<Item>(i)));
    for (size_t dead = 0; dead < 4; ++dead) {
      items[static_cast<size_t>(order[dead])].reset();
      EXPECT_EQ(list.size(), 3 - dead);
      if (dead == 1) {
        std::vector<int> left(order.begin() + 2, order.end());
        std::ranges::sort(left);
        EXPECT_EQ(static_cast<Item*>(list.front())->number, left[0]);
      }
    }
    EXPECT_TRUE(list.empty());
  } while (std::ranges::next_permutation(order).found);
}

TEST(IntrusiveList, MayDieBeforeItsNodes) {
  Item a(1), b(2);
  {
    IntrusiveList list;
    list.push_back(a);
    list.push_back(b);
  }
  EXPECT_FALSE(a.linked());
  IntrusiveList next;
  next.push_back(b);
  EXPECT_EQ(drain(next), (std::vector<int>{2}));
}

TEST(IntrusiveList, ANodeMovesFromListToList) {
  IntrusiveList one, two;
  Item a(1), b(2);
  one.push_back(a);
  one.push_back(b);
  two.push_back(a);
  EXPECT_EQ(one.size(), 1u);
  EXPECT_EQ(drain(two), (std::vector<int>{1}));
  EXPECT_EQ(drain(one), (std::vector<int>{2}));
}

}  // namespace
}  // namespace holdfast::io
