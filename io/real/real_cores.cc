#include "io/real/real_cores.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

namespace holdfast::real {
namespace {

// How many turns may pass between two looks at the sockets while work keeps coming.
constexpr int kTurnsPerPoll = 16;
constexpr Duration kLongestWait = seconds(60);

// The messages that one turn of one core has for another.
class Batch final : public io::Mail {
 public:
  explicit Batch(std::vector<io::Message> messages) : messages_(std::move(messages)) {}
  void deliver() override {
    for (io::Message& message : messages_) message();
    delete this;
  }
  void discard() override { delete this; }

 private:
  ~Batch() = default;
  std::vector<io::Message> messages_;
};

// Ends a core's loop.
class Stop final : public io::Mail {
 public:
  explicit Stop(RealCore& core) : core_(core) {}
  void deliver() override { core_.stop(); }
  void discard() override {}

 private:
  RealCore& core_;
};

io::Task<void> run_and_stop(io::Task<void> main, RealCore& core) {
  co_await std::move(main);
  core.stop();
}

}  // namespace

Time RealCore::now() const {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return {t.tv_sec * 1'000'000'000 + t.tv_nsec};
}

void RealCore::send(CoreId to, io::Message message) {
  if (to == core()) {
    to_self_.push_back(std::move(message));
    return;
  }
  if (outgoing_.size() <= to.value) outgoing_.resize(cores_.count());
  auto& out = outgoing_[to.value];
  if (out.empty()) destinations_.push_back(to);
  out.push_back(std::move(message));
}

void RealCore::send_off() {
  for (CoreId to : destinations_) cores_.core(to).deliver(*new Batch(std::exchange(outgoing_[to.value], {})));
  destinations_.clear();
}

void RealCore::turn() {
  mailbox_.deliver_all();
  if (!to_self_.empty())
    for (io::Message& message : std::exchange(to_self_, {})) message();
  running_.swap(run_queue_);
  for (std::coroutine_handle<> h : running_) h.resume();
  running_.clear();
  if (deadline_ != Time::never()) {
    Time t = now();
    if (deadline_ <= t) fire_due(t);
  }
  if (!destinations_.empty()) send_off();
}

Duration RealCore::until_deadline() const {
  if (deadline_ == Time::never()) return kLongestWait;
  return std::clamp(deadline_ - now(), Duration{0}, kLongestWait);
}

void RealCore::run() {
  current_ = this;
  while (!stopping_) {
    turn();
    for (int turns = 1; turns < kTurnsPerPoll && !stopping_ && (runnable() || !mailbox_.empty()); ++turns) turn();
    if (!runnable() && !stopping_ && mailbox_.sleep()) {
      reactor_.wait(until_deadline());
      mailbox_.awake();
    } else {
      reactor_.poll();
    }
  }
  current_ = nullptr;
}

void RealCore::discard_mail() {
  mailbox_.discard_all();
  outgoing_.clear();
  destinations_.clear();
  to_self_.clear();
}

RealCores::RealCores(uint16_t count, Pinning pinning) : pinning_(pinning) {
  HF_ASSERT(count > 0, "a host has at least one core");
  for (uint16_t i = 0; i < count; ++i) cores_.push_back(std::make_unique<RealCore>(*this, CoreId(i)));
}

RealCores::~RealCores() { clear(); }

void RealCores::send(CoreId from, CoreId to, io::Message message) {
  HF_ASSERT(core(from).is_current(), "a core sends from its own thread");
  core(from).send(to, std::move(message));
}

void RealCores::run(io::Task<void> main) {
  HF_ASSERT(!std::exchange(ran_, true), "a host runs once");
  std::vector<std::jthread> threads;
  for (uint16_t i = 1; i < count(); ++i)
    threads.emplace_back([this, i] {
      pin(CoreId(i));
      core(CoreId(i)).run();
    });
  pin(CoreId(0));
  core(CoreId(0)).spawn(run_and_stop(std::move(main), core(CoreId(0))));
  core(CoreId(0)).run();
  std::deque<Stop> stops;
  for (uint16_t i = 1; i < count(); ++i) core(CoreId(i)).deliver(stops.emplace_back(core(CoreId(i))));
  threads.clear();
}

void RealCores::clear() {
  // Mail first: some of it lies in frames of the tasks. Then again: a destructor may have sent something.
  for (auto& c : cores_) c->discard_mail();
  for (auto& c : cores_) c->destroy_roots();
  for (auto& c : cores_) c->discard_mail();
}

void RealCores::pin(CoreId id) const {
  if (pinning_ == Pinning::kFree) return;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  int nth = id.value % CPU_COUNT(&allowed);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed) && nth-- == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      pthread_setaffinity_np(pthread_self(), sizeof one, &one);
      return;
    }
}

}  // namespace holdfast::real
