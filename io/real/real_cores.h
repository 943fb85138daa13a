// RealCores: the threads of the production host.
//
// Each core is one thread with a run queue, a mailbox and a reactor. Its loop: deliver mail, run what is queued, fire
// timers, send off what the turn produced; look at the sockets only when nothing is runnable or every so many turns;
// block only when there is neither work nor mail.
//
// Messages sent during a turn leave together at its end, as one mail per destination, so that a destination is woken
// at most once per turn.
#pragma once

#include <thread>
#include <vector>

#include "io/cores.h"
#include "io/mailbox.h"
#include "io/real/reactor.h"

namespace holdfast::real {

class RealCores;

class RealCore final : public io::Executor {
 public:
  RealCore(RealCores& cores, CoreId id) : Executor(id), cores_(cores) {}
  ~RealCore() override { destroy_roots(); }

  /// The core that an executor of this host is.
  static RealCore& of(io::Executor& executor) { return static_cast<RealCore&>(executor); }
  /// Whether the calling thread is this core's.
  bool is_current() const { return current_ == this; }

  Time now() const override;
  void post(std::coroutine_handle<> h) override {
    HF_ASSERT(current_ == this || !current_, "a core's tasks are resumed from its own thread; others send it mail");
    run_queue_.push_back(h);
  }
  Reactor& reactor() { return reactor_; }

  /// Any thread: delivers `mail` on this core.
  void deliver(io::Mail& mail) {
    if (mailbox_.push(mail)) reactor_.wake();
  }
  /// This core only: sends at the end of the turn.
  void send(CoreId to, io::Message message);

  /// Runs the loop on the calling thread until `stop`.
  void run();
  /// This core only.
  void stop() { stopping_ = true; }
  /// After the loop has ended, from any one thread: drops undelivered mail.
  void discard_mail();

 private:
  void deadline_changed(Time earliest) override { deadline_ = earliest; }
  void turn();
  void send_off();
  bool runnable() const { return !run_queue_.empty() || !to_self_.empty(); }
  Duration until_deadline() const;

  static inline constinit thread_local const RealCore* current_ = nullptr;  // the core whose loop this thread runs

  RealCores& cores_;
  Reactor reactor_;
  std::vector<std::coroutine_handle<>> run_queue_, running_;
  std::vector<std::vector<io::Message>> outgoing_;  // per destination; sized by the first message
  std::vector<CoreId> destinations_;                // those with something outgoing
  std::vector<io::Message> to_self_;
  Time deadline_ = Time::never();
  bool stopping_ = false;
  io::Mailbox mailbox_;
};

class RealCores final : public io::Cores {
 public:
  enum class Pinning : uint8_t { kFree, kPinned };

  RealCores(uint16_t count, Pinning pinning);
  ~RealCores() override;

  uint16_t count() const override { return static_cast<uint16_t>(cores_.size()); }
  io::Executor& executor(CoreId core) override { return *cores_[core.value]; }
  void send(CoreId from, CoreId to, io::Message message) override;
  RealCore& core(CoreId id) { return *cores_[id.value]; }

  /// Runs every core, core 0 on the calling thread, until `main`, a task of core 0, ends. Once.
  void run(io::Task<void> main);
  /// After `run`: destroys tasks that still wait and mail that was not delivered. Whatever could still complete must
  /// have ended.
  void clear();

 private:
  void pin(CoreId id) const;

  std::vector<std::unique_ptr<RealCore>> cores_;
  Pinning pinning_;
  bool ran_ = false;
};

}  // namespace holdfast::real
