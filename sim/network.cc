#include "sim/network.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/base/hash.h"
#include "sim/incarnation.h"
#include "sim/world.h"

namespace holdfast::sim {
namespace {

constexpr uint64_t kNetNsMin = 1'000;
constexpr size_t kBacklog = 128;
constexpr Duration kUnanswered = seconds(120);      // what the system waits for an answer to a connect
constexpr Duration kVanishedMin = milliseconds(1);  // until the peers of a machine without power notice
constexpr Duration kVanishedMax = seconds(20);

std::unexpected<Error> closed() { return fail(Code::kClosed, "the connection was closed"); }
std::unexpected<Error> lost() { return fail(Code::kClosed, "the connection broke: reset by the peer"); }

}  // namespace

// A read or write of one end. It waits in the end until something changes, then completes by an event of its own.
class ConnectionOperation : public Operation {
 public:
  ConnectionOperation(std::shared_ptr<Link> link, int side) : link_(std::move(link)), side_(side) {}
  /// Something changed: look again, a little later.
  void wake() {
    if (!scheduled() && !done_)
      world().events().schedule(*this, world().now() + nanoseconds(static_cast<int64_t>(kNetNsMin)));
  }

 protected:
  LinkEnd& end() { return link_->ends[side_]; }
  Incarnation& host() { return *end().owner; }
  World& world() { return link_->network.world(); }
  Link& link() { return *link_; }
  int side() const { return side_; }
  virtual bool can_go_on() = 0;
  void finish() {
    done_ = true;
    complete();
  }

  void begin() override {
    if (!host().live()) return;
    HF_ASSERT(&host().host().cores.executor(executor().core()) == &executor(), "a connection stays within its process");
    crash_ = host().node().reach(IoKind::kNetwork);
    done_ = crash_ == Moment::kBefore;
    if (can_go_on()) wake();
  }
  void trace(EventKind kind, uint64_t digest) {
    world().trace().event(world().now(), host().node().id(), executor().core().value, kind,
                          link_->id << 1 | static_cast<uint64_t>(side_), digest);
  }
  std::optional<Moment> crash_;

 private:
  std::shared_ptr<Link> link_;
  int side_;
  bool done_ = false;  // or struck by a crash
};

class ReadOperation final : public ConnectionOperation {
 public:
  ReadOperation(std::shared_ptr<Link> l, int s, MutableBytes out) : ConnectionOperation(std::move(l), s), out_(out) {
    HF_ASSERT(!end().reader, "one read at a time");
    HF_ASSERT(!out_.empty(), "a read has room for a byte");
    end().reader = this;
  }
  ~ReadOperation() override { end().reader = nullptr; }
  Result<size_t> result;

 private:
  bool can_go_on() override { return end().closed || end().broken || end().in.arrived() > 0 || end().in.ended(); }
  void happen() override {
    if (!can_go_on()) return;
    if (crash_) return host().node().strike();
    if (end().closed)
      result = closed();
    else if (end().in.arrived() > 0)
      result = end().in.take(out_);
    else if (end().broken)
      result = lost();
    else
      result = 0;
    trace(EventKind::kRead, result ? xxh3_64(Bytes(out_.data(), *result)) : 1);
    finish();
  }
  MutableBytes out_;
};

class WriteOperation final : public ConnectionOperation {
 public:
  WriteOperation(std::shared_ptr<Link> l, int s, Bytes data) : ConnectionOperation(std::move(l), s), rest_(data) {
    HF_ASSERT(!end().writer, "one write at a time");
    end().writer = this;
  }
  ~WriteOperation() override { end().writer = nullptr; }
  Result<> result;

 private:
  Pipe& out() { return link().other(side()).in; }
  size_t room() {
    return std::max<uint64_t>(1, world().plan().net_window) -
           std::min<uint64_t>(world().plan().net_window, out().held());
  }
  bool can_go_on() override { return end().closed || end().broken || rest_.empty() || room() > 0; }

  void happen() override {
    if (!can_go_on()) return;
    if (end().closed) result = closed();
    if (!end().closed && end().broken) result = lost();
    if (result) {
      size_t n = std::min(rest_.size(), room());
      if (crash_ == Moment::kMiddle) n = host().node().streams().settle.decide(n + 1);
      hand_over(n);
      if (crash_) return host().node().strike();
      if (result && !rest_.empty()) {
        world().counts().hit(Fault::kNetWindowFull);
        return;
      }
    }
    trace(EventKind::kWrite, result ? 0 : 1);
    finish();
  }

  // Gives `n` bytes to the network, which may take fewer and break.
  void hand_over(size_t n) {
    const FaultPlan& plan = world().plan();
    PathStreams& s = link().path_to(1 - side());
    bool reset = n > 0 && s.reset.chance(plan.net_reset);
    bool half_close = n > 0 && !reset && s.half_close.chance(plan.net_half_close);
    if (n > 0 && s.stall.chance(plan.net_stall)) {
      world().counts().hit(Fault::kNetStall);
      out().stall(s.stall.between(milliseconds(1),
                                  milliseconds(static_cast<int64_t>(std::max<uint64_t>(1, plan.net_stall_ms_max)))));
    }
    Bytes taken = rest_.substr(0, reset ? s.reset.decide(n + 1) : half_close ? s.half_close.decide(n + 1) : n);
    trace(EventKind::kWrite, xxh3_64(taken, 2));
    out().send(taken);
    rest_.remove_prefix(n);
    if (link().other(side()).closed) link().bounce(1 - side());
    if (reset) {
      world().counts().hit(Fault::kNetReset);
      link().break_both();
    }
    if (half_close) {
      // The peer sees the end of the stream; what it answers still comes through, for a while.
      world().counts().hit(Fault::kNetHalfClose);
      out().send(Pipe::Mark::kEnd, Duration{});
      out().cut();
      end().in.send(Pipe::Mark::kReset, s.half_close.between(milliseconds(1), seconds(5)));
    }
  }

  Bytes rest_;
};

void Pipe::push(Piece piece) {
  // Order is kept: nothing overtakes what was sent before.
  piece.arrival = last_ = std::max(piece.arrival, last_);
  pieces_.push_back(std::move(piece));
  World& world = link_.network.world();
  if (!scheduled()) world.events().schedule(*this, pieces_.front().arrival);
}

void Pipe::send(Bytes data) {
  if (cut_ || data.empty()) return;
  World& world = link_.network.world();
  PathStreams& s = link_.path_to(side_);
  uint64_t max = std::max(kNetNsMin, world.plan().net_ns_max);
  bytes_.append(data);
  size_t pieces = data.size() > 1 && s.partial.chance(world.plan().net_partial) ? 1 + s.partial.decide(4) : 1;
  if (pieces > 1) world.counts().hit(Fault::kNetPartial);
  for (size_t left = data.size(); left > 0; --pieces) {
    size_t n = pieces <= 1 || left == 1 ? left : s.partial.between(1, left - 1);
    push({world.now() + nanoseconds(static_cast<int64_t>(s.time.between(kNetNsMin, max))), n, std::nullopt});
    left -= n;
    if (pieces <= 1) break;
  }
}

void Pipe::send(Mark mark, Duration delay) {
  if (cut_ && mark == Mark::kEnd) return;
  World& world = link_.network.world();
  uint64_t max = std::max(kNetNsMin, world.plan().net_ns_max);
  Duration way = nanoseconds(static_cast<int64_t>(link_.path_to(side_).time.between(kNetNsMin, max)));
  push({world.now() + way + delay, 0, mark});
}

void Pipe::stall(Duration d) { last_ = std::max(last_, link_.network.world().now() + d); }

size_t Pipe::take(MutableBytes out) {
  size_t n = std::min(out.size(), arrived_);
  std::memcpy(out.data(), bytes_.data() + read_, n);
  read_ += n;
  arrived_ -= n;
  if (read_ == bytes_.size() || read_ > (64 << 10)) {
    bytes_.erase(0, read_);
    read_ = 0;
  }
  if (WriteOperation* w = link_.other(side_).writer) w->wake();
  return n;
}

void Pipe::drop() {
  read_ += arrived_;
  arrived_ = 0;
}

void Pipe::happen() {
  Piece piece = pieces_.front();
  pieces_.pop_front();
  World& world = link_.network.world();
  if (!pieces_.empty()) world.events().schedule(*this, pieces_.front().arrival);
  LinkEnd& end = link_.ends[side_];
  world.trace().event(world.now(), end.owner->node().id(), kNobody, EventKind::kArrive,
                      link_.id << 1 | static_cast<uint64_t>(side_),
                      piece.mark ? ~static_cast<uint64_t>(*piece.mark) : piece.bytes);
  arrived_ += piece.bytes;
  if (piece.mark == Mark::kEnd) ended_ = true;
  if (piece.mark == Mark::kReset) {
    end.broken = true;
    if (arrived_ > 0 && link_.path_to(side_).reset.decide(2) == 1) drop();
  }
  if (end.closed && piece.bytes > 0) {
    drop();
    link_.bounce(side_);
  }
  link_.wake(side_);
}

PathStreams& Link::path_to(int side) { return network.path(other(side).owner->node(), ends[side].owner->node()); }

void Link::wake(int side) {
  if (ends[side].reader) ends[side].reader->wake();
  if (ends[side].writer) ends[side].writer->wake();
}

void Link::close(int side, std::optional<Pipe::Mark> goodbye, Duration delay) {
  LinkEnd& end = ends[side];
  if (end.closed) return;
  end.closed = true;
  World& world = network.world();
  world.trace().event(world.now(), end.owner->node().id(), kNobody, EventKind::kClose,
                      id << 1 | static_cast<uint64_t>(side), 0);
  if (goodbye && !other(side).closed) {
    other(side).in.send(*goodbye, delay);
    if (other(side).writer) bounce(side);  // it waits for room that will never come
  }
  end.in.drop();
  wake(side);
  if (other(side).closed) network.forget(*this);
}

void Link::bounce(int from_side) { other(from_side).in.send(Pipe::Mark::kReset, Duration{}); }

void Link::break_both() {
  for (LinkEnd& end : ends) {
    end.in.send(Pipe::Mark::kReset, Duration{});
    end.in.cut();
  }
}

PathStreams& SimNetwork::path(Node& from, Node& to) {
  auto& p = paths_[{from.id(), to.id()}];
  if (!p) {
    auto stream = [&](const char* what) {
      return world_.stream(fmt::format("net/{}>{}/{}", from.name(), to.name(), what));
    };
    p = std::make_unique<PathStreams>(
        PathStreams{stream("time"), stream("partial"), stream("stall"), stream("reset"), stream("half-close")});
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

class SimConnection final : public io::Connection {
 public:
  SimConnection(std::shared_ptr<Link> link, int side, CoreId core) : link_(std::move(link)), side_(side), core_(core) {}
  ~SimConnection() override { close(); }

  io::Task<Result<size_t>> read_some(MutableBytes out) override {
    HF_ASSERT((co_await io::this_executor()).core() == core_, "a connection is used on its core");
    ReadOperation op(link_, side_, out);
    co_await op;
    co_return std::move(op.result);
  }
  io::Task<Result<>> write_all(Bytes data) override {
    HF_ASSERT((co_await io::this_executor()).core() == core_, "a connection is used on its core");
    WriteOperation op(link_, side_, data);
    co_await op;
    co_return std::move(op.result);
  }
  void close() override {
    if (link_->ends[side_].owner->live()) link_->close(side_, Pipe::Mark::kEnd, Duration{});
  }
  std::string peer() const override { return link_->ends[side_].peer; }
  bool peer_is_local() const override {
    return link_->ends[0].owner->node().connections_are_local && link_->ends[1].owner->node().connections_are_local;
  }

 private:
  std::shared_ptr<Link> link_;
  int side_;
  CoreId core_;
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
    if (!scheduled()) world.events().schedule(*this, world.now() + nanoseconds(static_cast<int64_t>(kNetNsMin)));
  }
  Result<std::unique_ptr<io::Connection>> result;

 private:
  void begin() override {
    if (!listener_.host_.live()) return;
    HF_ASSERT(executor().core() == listener_.core_, "a listener accepts on the core that opened it");
    crash_ = listener_.host_.node().reach(IoKind::kNetwork);
    if (crash_ == Moment::kBefore) return;
    listener_.acceptors_.push_back(*this);
    if (!listener_.open_ || !listener_.backlog_.empty()) wake();
  }
  void happen() override {
    World& world = listener_.host_.world();
    if (!listener_.open_) {
      result = fail(Code::kClosed, "the listener was closed");
    } else if (listener_.backlog_.empty()) {
      return;
    } else if (crash_) {
      return listener_.host_.node().strike();
    } else if (listener_.host_.node().streams().accept.chance(world.plan().net_no_descriptor)) {
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
  std::optional<Moment> crash_;
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
    give_up_ = std::min(deadline_, world.now() + kUnanswered);
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
