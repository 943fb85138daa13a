#include "sim/link.h"

#include <algorithm>

#include "sim/connection.h"
#include "sim/incarnation.h"
#include "sim/network.h"
#include "sim/world.h"

namespace holdfast::sim {

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
  bytes_.append(data);
  if (s.corrupt.strikes(world.plan().net_corrupt)) {
    size_t bit = s.corrupt.decide(data.size() * 8, Draw::kSame);
    char& hit = bytes_[bytes_.size() - data.size() + bit / 8];
    hit = static_cast<char>(hit ^ 1 << bit % 8);
    world.counts().hit(Fault::kNetCorrupt);
  }
  bool partial = data.size() > 1 && s.partial.strikes(world.plan().net_partial);
  size_t pieces = partial ? 1 + s.partial.decide(4, Draw::kSame) : 1;
  if (pieces > 1) world.counts().hit(Fault::kNetPartial);
  for (size_t left = data.size(); left > 0; --pieces) {
    size_t n = pieces <= 1 || left == 1 ? left : s.partial.between(1, left - 1, Draw::kSame);
    push({world.now() + link_.way_to(side_), n, std::nullopt});
    left -= n;
    if (pieces <= 1) break;
  }
}

void Pipe::send(Mark mark, Duration delay) {
  if (cut_ && mark == Mark::kEnd) return;
  World& world = link_.network.world();
  push({world.now() + link_.way_to(side_) + delay, 0, mark});
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
  if (ConnectionOperation* w = link_.other(side_).writer) w->wake();
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
    if (arrived_ > 0 && link_.path_to(side_).drop.decide(2) == 1) drop();
  }
  if (end.closed && piece.bytes > 0) {
    drop();
    link_.bounce(side_);
  }
  link_.wake(side_);
}

void LinkBreak::happen() { link_.break_both(); }

PathStreams& Link::path_to(int side) { return network.path(other(side).owner->node(), ends[side].owner->node()); }

Duration Link::way_to(int side) { return network.delay(other(side).owner->node(), ends[side].owner->node()); }

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

}  // namespace holdfast::sim
