// Mailbox: how anything reaches a core from another thread.
//
// Many senders, one receiver, no locks and no memory of its own: what is sent is linked into a list through the
// sender's object. What one sender pushes arrives in the order of its pushes; pushes of different senders interleave.
//
// The whole state is one atomic word: empty, the receiver sleeps, or the newest mail (which links to the older ones).
//
//   push    CAS  any -> mail            release: the receiver sees everything written before the push
//   take    exchange -> empty           acquire; the list is newest first and is turned round
//   sleep   CAS  empty -> asleep        fails when there is mail
//
// Why no wake-up is lost: going to sleep and pushing change the same word, so one of them is first. If it is the
// push, the CAS of `sleep` fails and the receiver takes the mail; if it is `sleep`, the pusher finds `asleep`,
// replaces it, and is the one (and the only one) to wake the receiver. There is no second word whose reads and writes
// would have to be fenced against this one. And since `asleep` is replaced by the first push, a receiver is woken
// once however many push, and never while it is awake. A wake-up must therefore be remembered by whatever the
// receiver blocks in (an eventfd is): it may come before the receiver has blocked.
//
// Why mail of an earlier pusher is visible although the receiver's acquire reads a later pusher's word: each push is a
// read-modify-write and so continues the release sequences of all pushes before it.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "io/base/assert.h"

namespace holdfast::io {

/// Something on its way to a core. In one mailbox at a time.
class Mail {
 public:
  Mail() = default;
  Mail(const Mail&) = delete;
  Mail& operator=(const Mail&) = delete;

  /// Called once, on the receiving core, from its loop. May destroy the mail or send it on.
  virtual void deliver() = 0;
  /// Called instead when the receiver is gone for good. May destroy the mail; must not wake anyone.
  virtual void discard() = 0;

 protected:
  ~Mail() = default;

 private:
  friend class Mailbox;
  Mail* next_ = nullptr;
};

class alignas(64) Mailbox {
 public:
  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox() { HF_ASSERT(state_.load(std::memory_order_relaxed) <= kAsleep, "mail is delivered or discarded"); }

  /// Any thread. True: the receiver sleeps, and the caller must wake it. The mail may be gone when this returns.
  [[nodiscard("who finds the receiver asleep must wake it")]] bool push(Mail& mail) {
    uintptr_t old = state_.load(std::memory_order_relaxed);
    do {
      mail.next_ = old == kAsleep ? nullptr : reinterpret_cast<Mail*>(old);
    } while (!state_.compare_exchange_weak(old, reinterpret_cast<uintptr_t>(&mail), std::memory_order_release,
                                           std::memory_order_relaxed));
    return old == kAsleep;
  }

  // Receiver only.

  bool empty() const { return state_.load(std::memory_order_relaxed) <= kAsleep; }
  /// Delivers everything that is there, in order. Mail that comes meanwhile is for the next time. Returns whether
  /// there was any.
  bool deliver_all() {
    if (empty()) return false;
    for (Mail* mail = take(); mail;) std::exchange(mail, mail->next_)->deliver();
    return true;
  }
  void discard_all() {
    for (Mail* mail = take(); mail;) std::exchange(mail, mail->next_)->discard();
  }
  /// False: there is mail, do not block. True: the next push will ask its caller to wake the receiver.
  bool sleep() {
    uintptr_t expected = kEmpty;
    return state_.compare_exchange_strong(expected, kAsleep, std::memory_order_relaxed);
  }
  /// After blocking, for whatever reason it ended. A wake-up may still be on its way; it is then one too many and
  /// does no harm.
  void awake() {
    uintptr_t expected = kAsleep;
    state_.compare_exchange_strong(expected, kEmpty, std::memory_order_relaxed);
  }

 private:
  static constexpr uintptr_t kEmpty = 0;
  static constexpr uintptr_t kAsleep = 1;

  // Takes everything, oldest first.
  Mail* take() {
    uintptr_t newest = state_.exchange(kEmpty, std::memory_order_acquire);
    Mail* list = nullptr;
    for (Mail* mail = newest <= kAsleep ? nullptr : reinterpret_cast<Mail*>(newest); mail;) {
      Mail* older = std::exchange(mail->next_, list);
      list = mail;
      mail = older;
    }
    return list;
  }

  std::atomic<uintptr_t> state_ = kEmpty;
};

}  // namespace holdfast::io
