// io/mailbox.h under stress: meant for TSan, and for a receiver that blocks for real, so that a lost wake-up shows as
// a wait that ends by its (long) time limit.
#include "io/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace holdfast::io {
namespace {

// Counts what arrives, per sender.
struct Receiver {
  explicit Receiver(size_t senders) : next(senders, 0) {}
  std::vector<uint64_t> next;
  uint64_t total = 0;
  uint64_t out_of_order = 0;
};

class Letter final : public Mail {
 public:
  Letter(Receiver& to, size_t sender, uint64_t number) : to_(to), sender_(sender), number_(number) {}
  void deliver() override {
    if (to_.next[sender_]++ != number_) ++to_.out_of_order;
    ++to_.total;
    delete this;
  }
  void discard() override { delete this; }

 private:
  ~Letter() = default;
  Receiver& to_;
  size_t sender_;
  uint64_t number_;
};

TEST(Mailbox, DeliversInTheOrderOfOneSender) {
  Mailbox box;
  Receiver receiver(1);
  EXPECT_FALSE(box.deliver_all());
  for (uint64_t i = 0; i < 5; ++i) EXPECT_FALSE(box.push(*new Letter(receiver, 0, i))) << "nobody sleeps";
  EXPECT_TRUE(box.deliver_all());
  EXPECT_EQ(receiver.total, 5u);
  EXPECT_EQ(receiver.out_of_order, 0u);
  EXPECT_TRUE(box.empty());
}

TEST(Mailbox, OnlyTheFirstPushAfterSleepWakes) {
  Mailbox box;
  Receiver receiver(1);
  ASSERT_TRUE(box.sleep());
  EXPECT_TRUE(box.push(*new Letter(receiver, 0, 0)));
  EXPECT_FALSE(box.push(*new Letter(receiver, 0, 1)));
  EXPECT_FALSE(box.sleep()) << "there is mail";
  box.awake();
  box.deliver_all();
  EXPECT_EQ(receiver.total, 2u);
  ASSERT_TRUE(box.sleep());
  box.awake();
  EXPECT_FALSE(box.push(*new Letter(receiver, 0, 2))) << "it woke by itself";
  box.discard_all();
  EXPECT_EQ(receiver.total, 2u);
}

TEST(Mailbox, MailMayBeSentOnFromItsDelivery) {
  class Bouncing final : public Mail {
   public:
    explicit Bouncing(Mailbox& box) : box_(box) {}
    void deliver() override {
      if (++bounces < 3) EXPECT_FALSE(box_.push(*this));
    }
    void discard() override {}
    int bounces = 0;

   private:
    Mailbox& box_;
  };
  Mailbox box;
  Bouncing mail(box);
  EXPECT_FALSE(box.push(mail));
  EXPECT_TRUE(box.deliver_all());
  EXPECT_EQ(mail.bounces, 1) << "what comes during delivery is for the next time";
  while (box.deliver_all()) {
  }
  EXPECT_EQ(mail.bounces, 3);
}

TEST(Mailbox, StressLosesNeitherMailNorWakeUps) {
  constexpr size_t kSenders = 4;
  constexpr uint64_t kLetters = 50'000;
  Mailbox box;
  Receiver receiver(kSenders);
  std::counting_semaphore<> wake_up(0);  // remembers a wake-up that comes too early, as an eventfd does
  std::atomic<uint64_t> wakes = 0;
  uint64_t sleeps = 0;
  {
    std::vector<std::jthread> senders;
    for (size_t s = 0; s < kSenders; ++s)
      senders.emplace_back([&, s] {
        for (uint64_t i = 0; i < kLetters; ++i) {
          if (box.push(*new Letter(receiver, s, i))) {
            wakes.fetch_add(1);
            wake_up.release();
          }
          if (i % 64 == s) std::this_thread::yield();  // so that the receiver runs dry now and then
        }
      });
    while (receiver.total < kSenders * kLetters) {
      box.deliver_all();
      if (receiver.total == kSenders * kLetters || !box.sleep()) continue;
      ++sleeps;
      ASSERT_TRUE(wake_up.try_acquire_for(std::chrono::seconds(120))) << "lost wake-up after " << receiver.total;
      box.awake();
    }
  }
  EXPECT_EQ(receiver.out_of_order, 0u);
  EXPECT_EQ(wakes, sleeps) << "one wake-up per sleep";
  EXPECT_FALSE(wake_up.try_acquire()) << "none while the receiver is awake";
}

// Each letter is sent the moment the one before was delivered, which is just when the receiver goes to sleep.
TEST(Mailbox, EveryPushRacesWithGoingToSleep) {
  constexpr uint64_t kLetters = 100'000;
  Mailbox box;
  Receiver receiver(1);
  std::counting_semaphore<> wake_up(0);
  std::atomic<uint64_t> delivered = 0;
  std::atomic<bool> give_up = false;
  std::jthread sender([&] {
    for (uint64_t i = 0; i < kLetters; ++i) {
      for (int spins = 0; delivered.load() < i && !give_up.load(); ++spins)
        if (spins > 200) std::this_thread::yield();
      for (volatile uint64_t delay = i % 50; delay > 0;) delay = delay - 1;
      if (box.push(*new Letter(receiver, 0, i))) wake_up.release();
    }
  });
  while (receiver.total < kLetters) {
    box.deliver_all();
    delivered.store(receiver.total);
    if (receiver.total == kLetters || !box.sleep()) continue;
    bool woken = wake_up.try_acquire_for(std::chrono::seconds(120));
    box.awake();
    if (woken) continue;
    ADD_FAILURE() << "lost wake-up after " << receiver.total;
    give_up = true;
    sender.join();
    box.discard_all();
    return;
  }
  EXPECT_EQ(receiver.out_of_order, 0u);
}

}  // namespace
}  // namespace holdfast::io
