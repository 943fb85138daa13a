#include "sim/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "io/intrusive_list.h"
#include "sim/connection.h"
#include "sim/incarnation.h"
#include "sim/operation.h"
#include "sim/world.h"

namespace holdfast::sim {
namespace {

constexpr uint64_t kNetNsMin = 1'000;
constexpr Duration kCallTime = microseconds(1);  // from what a call waited for to its return
constexpr size_t kBacklog = 128;
constexpr Duration kUnanswered = seconds(120);      // what the system waits for an answer to a connect
constexpr Duration kVanishedMin = milliseconds(1);  // until the peers of a machine without power notice
constexpr Duration kVanishedMax = seconds(20);

}  // namespace

PathStreams& SimNetwork::path(Node& from, Node& to) {
  auto& p = paths_[{from.id(), to.id()}];
  if (!p) {
    auto stream = [&](const char* what) {
      return world_.stream(fmt::format("net/{}>{}/{}", from.name(), to.name(), what));
    };
    p = std::make_unique<PathStreams>(PathStreams{stream("time"), stream("partial"), stream("stall"), stream("reset"),
                                                  stream("half-close"), stream("drop"), stream("corrupt")});
  }
  return *p;
}

Duration SimNetwork::delay(Node& from, Node& to) {
  uint64_t max = std::max(kNetNsMin, world_.plan().net_ns_max);
  return nanoseconds(static_cast<int64_t>(path(from, to).time.between(kNetNsMin, max)));
}

Node* SimNetwork::resolve(Node& from, std::string_view host) {
  if (host.empty() || host == "localhost" || host == "0.0.0.0" || host.starts_with("127.")) return &from;
  return world_.find_node(host);
}

SimListener* SimNetwork::listener(Node& node, uint16_t port) {
  auto it = listeners_.find({node.id(), port});
  return it == listeners_.end() ? nullptr : it->second;
}

uint16_t SimNetwork::add_listener(Node& node, uint16_t port, SimListener& listener) {
  while (port == 0) {
    port = next_port_;
    next_port_ = next_port_ == UINT16_MAX ? 49152 : next_port_ + 1;
    if (listeners_.contains({node.id(), port})) port = 0;
  }
  return listeners_.try_emplace({node.id(), port}, &listener).second ? port : 0;
}

void SimNetwork::remove_listener(Node& node, uint16_t port) { listeners_.erase({node.id(), port}); }

std::shared_ptr<Link> SimNetwork::make_link(Incarnation& from, Incarnation& to) {
  auto link = std::make_shared<Link>(*this, next_link_++);
  link->ends[0].owner = &from;
  link->ends[1].owner = &to;
  links_[link->id] = link;
  return link;
}

void SimNetwork::forget(Link& link) { links_.erase(link.id); }

// Accepts under way wait here; connections made but not yet accepted wait in the backlog.
class SimListener final : public io::Listener {
 public:
  SimListener(Incarnation& host, CoreId core, io::Endpoint local)
      : host_(host), core_(core), local_(std::move(local)) {}
  ~SimListener() override { close(); }

  io::Task<Result<std::unique_ptr<io::Connection>>> accept(CoreId owner) override;
  void close() override;
  io::Endpoint local() const override { return local_; }

  bool listen() {
    local_.port = host_.world().network().add_listener(host_.node(), local_.port, *this);
    open_ = local_.port != 0;
    return open_;
  }
  bool full() const { return backlog_.size() >= kBacklog; }
  void add(std::shared_ptr<Link> link) {
    backlog_.push_back(std::move(link));
    wake_one();
  }

 private:
  friend class AcceptOperation;
  void wake_one();
  Incarnation& host_;
  CoreId core_;
  io::Endpoint local_;
  bool open_ = false;
  std::deque<std::shared_ptr<Link>> backlog_;
  io::IntrusiveList acceptors_;
};

// Something that waits for no more than a time.
class Pause final : public Operation {
 public:
  Pause(Incarnation& host, Duration d) : host_(host), duration_(d) {}

 private:
  void begin() override {
    if (!host_.live()) return;
    auto crash = host_.node().reach(IoKind::kNetwork);
    if (crash == Moment::kBefore) return;
    if (crash) return host_.node().strike();
    host_.world().events().schedule(*this, host_.world().now() + duration_);
  }
  void happen() override { complete(); }
  Incarnation& host_;
  Duration duration_;
};

class AcceptOperation final : public Operation, public io::ListNode {
 public:
  AcceptOperation(SimListener& listener, CoreId owner) : listener_(listener), owner_(owner) {}
  void wake() {
    World& world = listener_.host_.world();
    if (!scheduled()) world.events().schedule(*this, world.now() + kCallTime);
  }
  Result<std::unique_ptr<io::Connection>> result;

 private:
  void begin() override {
    if (!listener_.host_.live()) return;
    HF_ASSERT(executor().core() == listener_.core_, "a listener accepts on the core that opened it");
    auto crash = listener_.host_.node().reach(IoKind::kNetwork);
    if (crash && crash != Moment::kBefore) listener_.host_.node().strike();  // not later: nobody may ever connect
    if (crash) return;
    listener_.acceptors_.push_back(*this);
    if (!listener_.open_ || !listener_.backlog_.empty()) wake();
  }
  void happen() override {
    World& world = listener_.host_.world();
    if (!listener_.open_) {
      result = fail(Code::kClosed, "the listener was closed");
    } else if (listener_.backlog_.empty()) {
      return;
    } else if (listener_.host_.node().streams().accept.strikes(world.plan().net_no_descriptor)) {
      world.counts().hit(Fault::kNoDescriptor);
      result = fail(Code::kOverloaded, "no descriptor left to accept a connection");
    } else {
      result = std::make_unique<SimConnection>(std::move(listener_.backlog_.front()), 1, owner_);
      listener_.backlog_.pop_front();
    }
    unlink();
    complete();
    listener_.wake_one();
  }
  SimListener& listener_;
  CoreId owner_;
};

void SimListener::wake_one() {
  if (!acceptors_.empty() && (!open_ || !backlog_.empty())) static_cast<AcceptOperation*>(acceptors_.front())->wake();
}

void SimListener::close() {
  if (!open_ || !host_.live()) return;
  open_ = false;
  host_.world().network().remove_listener(host_.node(), local_.port);
  for (auto& link : std::exchange(backlog_, {})) link->close(1, Pipe::Mark::kReset, Duration{});
  wake_one();
}

io::Task<Result<std::unique_ptr<io::Connection>>> SimListener::accept(CoreId owner) {
  HF_ASSERT(owner.value < host_.cores().count(), "a connection belongs to a core of this host");
  AcceptOperation op(*this, owner);
  co_await op;
  co_return std::move(op.result);
}

io::Task<Result<std::unique_ptr<io::Listener>>> HostNetwork::listen(io::Endpoint at) {
  Node& node = host_.node();
  co_await Pause(host_, host_.world().network().delay(node, node));
  if (host_.world().network().resolve(node, at.host) != &node && at.host != node.name())
    co_return fail(Code::kIo, "cannot listen on " + at.text() + ": not an address of this host");
  CoreId core = (co_await io::this_executor()).core();
  auto listener = std::make_unique<SimListener>(host_, core, at);
  if (!listener->listen()) co_return fail(Code::kIo, "cannot listen on " + at.text() + ": address already in use");
  co_return listener;
}

// One connect: the way there, and the way back.
class ConnectOperation final : public Operation {
 public:
  ConnectOperation(Incarnation& host, const io::Endpoint& to, Time deadline)
      : host_(host), to_(to), deadline_(deadline) {}
  Result<std::unique_ptr<io::Connection>> result;

 private:
  enum class State : uint8_t { kThere, kBack, kTimeout };

  void begin() override {
    if (!host_.live()) return;
    crash_ = host_.node().reach(IoKind::kNetwork);
    if (crash_ == Moment::kBefore) return;
    World& world = host_.world();
    target_ = world.network().resolve(host_.node(), to_.host);
    give_up_ = std::min(host_.clock().in_world(deadline_), world.now() + kUnanswered);
    go_on(State::kThere, target_ ? world.network().delay(host_.node(), *target_) : kUnanswered);
  }

  void go_on(State state, Duration delay) {
    World& world = host_.world();
    Time when = world.now() + delay;
    state_ = when > give_up_ ? State::kTimeout : state;
    world.events().schedule(*this, std::min(when, give_up_));
  }

  void happen() override {
    if (state_ == State::kThere) return arrive();
    if (state_ == State::kTimeout) {
      if (link_) link_->close(0, Pipe::Mark::kReset, Duration{});
      result = fail(Code::kTimeout, "cannot connect to " + to_.text() + " in time");
    } else if (!link_) {
      host_.world().counts().hit(Fault::kNetRefused);
      result = fail(Code::kClosed, "cannot connect to " + to_.text() + ": connection refused");
    } else {
      result = std::make_unique<SimConnection>(link_, 0, executor().core());
    }
    complete();
  }

  void arrive() {
    World& world = host_.world();
    SimListener* listener =
        target_->running() && target_->incarnation()->live() ? world.network().listener(*target_, to_.port) : nullptr;
    if (!target_->has_power() || (listener && listener->full())) return go_on(State::kTimeout, kUnanswered);
    if (listener) {
      link_ = world.network().make_link(host_, *target_->incarnation());
      link_->ends[0].peer = target_->name() + ":" + std::to_string(to_.port);
      link_->ends[1].peer = host_.node().name() + ":" + std::to_string(world.network().client_port());
      world.trace().event(world.now(), host_.node().id(), kNobody, EventKind::kConnect, link_->id, to_.port);
      listener->add(link_);
    }
    if (crash_) return host_.node().strike();
    go_on(State::kBack, world.network().delay(*target_, host_.node()));
  }

  Incarnation& host_;
  const io::Endpoint& to_;
  Time deadline_;
  Time give_up_;
  Node* target_ = nullptr;
  State state_ = State::kThere;
  std::shared_ptr<Link> link_;
  std::optional<Moment> crash_;
};

io::Task<Result<std::unique_ptr<io::Connection>>> HostNetwork::connect(io::Endpoint to, Time deadline) {
  ConnectOperation op(host_, to, deadline);
  co_await op;
  co_return std::move(op.result);
}

void SimNetwork::end(Incarnation& host, End how) {
  std::erase_if(listeners_, [&](const auto& l) { return l.first.first == host.node().id(); });
  // Closing forgets links: walk over a copy.
  for (auto& [id, link] : std::map(links_)) {
    for (int side : {0, 1}) {
      if (link->ends[side].owner != &host) continue;
      Stream& s = host.node().streams().close;
      if (how == End::kPowerLoss)
        link->close(side, Pipe::Mark::kReset, s.between(kVanishedMin, kVanishedMax));
      else
        link->close(side, s.decide(2) == 0 ? Pipe::Mark::kEnd : Pipe::Mark::kReset, Duration{});
    }
  }
}

}  // namespace holdfast::sim
