#include "sim/connection.h"

#include <algorithm>

#include "io/base/hash.h"
#include "sim/incarnation.h"
#include "sim/network.h"
#include "sim/world.h"

namespace holdfast::sim {
namespace {

constexpr Duration kCallTime = microseconds(1);  // from what a call waited for to its return

std::unexpected<Error> closed() { return fail(Code::kClosed, "the connection was closed"); }
std::unexpected<Error> lost() { return fail(Code::kClosed, "the connection broke: reset by the peer"); }

}  // namespace

World& ConnectionOperation::world() { return link_->network.world(); }

void ConnectionOperation::wake() {
  if (!scheduled() && !done_) world().events().schedule(*this, world().now() + kCallTime);
}

void ConnectionOperation::begin() {
  if (!host().live()) return;
  HF_ASSERT(host().owns(executor()), "a connection stays within its process");
  crash_ = host().node().reach(IoKind::kNetwork);
  done_ = crashes_at_once();
  if (done_ && crash_ != Moment::kBefore) host().node().strike();
  if (can_go_on()) wake();
}

void ConnectionOperation::trace(EventKind kind, uint64_t digest) {
  world().trace().event(world().now(), host().node().id(), executor().core().value, kind,
                        link_->id << 1 | static_cast<uint64_t>(side_), digest);
}

ReadOperation::ReadOperation(std::shared_ptr<Link> link, int side, MutableBytes out)
    : ConnectionOperation(std::move(link), side), out_(out) {
  HF_ASSERT(!end().reader, "one read at a time");
  HF_ASSERT(!out_.empty(), "a read has room for a byte");
  end().reader = this;
}

void ReadOperation::happen() {
  if (!can_go_on()) return;
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

WriteOperation::WriteOperation(std::shared_ptr<Link> link, int side, Bytes data)
    : ConnectionOperation(std::move(link), side), rest_(data) {
  HF_ASSERT(!end().writer, "one write at a time");
  end().writer = this;
}

size_t WriteOperation::room() {
  size_t window = std::max<uint64_t>(1, world().plan().net_window);
  return window - std::min(window, out().held());
}

void WriteOperation::happen() {
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
void WriteOperation::hand_over(size_t n) {
  const FaultPlan& plan = world().plan();
  PathStreams& s = link().path_to(1 - side());
  bool reset = n > 0 && s.reset.strikes(plan.net_reset);
  bool half_close = n > 0 && !reset && !link().break_later.scheduled() && s.half_close.strikes(plan.net_half_close);
  if (n > 0 && s.stall.strikes(plan.net_stall)) {
    world().counts().hit(Fault::kNetStall);
    out().stall(s.stall.between(milliseconds(1),
                                milliseconds(static_cast<int64_t>(std::max<uint64_t>(1, plan.net_stall_ms_max))),
                                Draw::kSame));
  }
  Bytes taken = rest_.substr(0, reset        ? s.reset.decide(n + 1, Draw::kSame)
                                : half_close ? s.half_close.decide(n + 1, Draw::kSame)
                                             : n);
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
    world().events().schedule(link().break_later,
                              world().now() + s.half_close.between(milliseconds(1), seconds(5), Draw::kSame));
  }
}

void SimConnection::close() {
  if (link_->ends[side_].owner->live()) link_->close(side_, Pipe::Mark::kEnd, Duration{});
}

bool SimConnection::peer_is_local() const {
  return link_->ends[0].owner->node().connections_are_local && link_->ends[1].owner->node().connections_are_local;
}

}  // namespace holdfast::sim
