// Link: one connection between two processes: two ends, and for each what travels to it.
//
// What is sent to an end waits in its inbound pipe: bytes on the way, then bytes that have arrived. A pipe holds a
// limited number of bytes, both kinds together: a writer waits for room while the reader does not read. Delays are
// drawn per piece; order is kept.
//
// Ownership: the network and the connections share a link; it is forgotten when both ends are closed. Internal to the
// simulator.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "sim/event_queue.h"
#include "sim/node.h"

namespace holdfast::sim {

class SimNetwork;
class ConnectionOperation;
struct Link;

/// The choices about one direction between two nodes.
struct PathStreams {
  Stream time, partial, stall, reset, half_close, drop, corrupt;
};

/// What travels to one end of a link. The event is the arrival of the next piece.
class Pipe final : public Event {
 public:
  explicit Pipe(Link& link, int side) : link_(link), side_(side) {}

  size_t held() const { return bytes_.size() - read_; }
  size_t arrived() const { return arrived_; }
  bool ended() const { return ended_; }

  enum class Mark : uint8_t { kEnd, kReset };
  void send(Bytes data);
  void send(Mark mark, Duration delay);
  /// Nothing that is sent from now on arrives, but for a reset.
  void cut() { cut_ = true; }
  void stall(Duration d);
  size_t take(MutableBytes out);
  void drop();

 private:
  struct Piece {
    Time arrival;
    size_t bytes;
    std::optional<Mark> mark;
  };
  void happen() override;
  void push(Piece piece);

  Link& link_;
  int side_;
  Buffer bytes_;
  size_t read_ = 0;
  size_t arrived_ = 0;
  std::deque<Piece> pieces_;
  Time last_;
  bool ended_ = false;
  bool cut_ = false;
};

struct LinkEnd {
  Incarnation* owner = nullptr;
  Pipe in;
  std::string peer;
  bool closed = false;  ///< by its owner, or with it
  bool broken = false;  ///< a reset has arrived
  ConnectionOperation* reader = nullptr;
  ConnectionOperation* writer = nullptr;
};

/// Breaks a link when it happens.
class LinkBreak final : public Event {
 public:
  explicit LinkBreak(Link& link) : link_(link) {}

 private:
  void happen() override;
  Link& link_;
};

struct Link {
  Link(SimNetwork& n, uint64_t i)
      : network(n), id(i), ends{LinkEnd{.in = Pipe(*this, 0)}, LinkEnd{.in = Pipe(*this, 1)}}, break_later(*this) {}
  LinkEnd& other(int side) { return ends[1 - side]; }
  /// The choices about bytes on their way to that side.
  PathStreams& path_to(int side);
  Duration way_to(int side);
  void wake(int side);
  /// The end's owner wants no more of it: kEnd says so in order, kReset at once, nothing says nothing.
  void close(int side, std::optional<Pipe::Mark> goodbye, Duration delay);
  /// Breaks the whole link, as a box in the middle does.
  void break_both();
  /// A closed end answers what still comes with a reset.
  void bounce(int from_side);

  SimNetwork& network;
  uint64_t id;
  LinkEnd ends[2];  ///< 0 connected, 1 accepted
  LinkBreak break_later;
};

}  // namespace holdfast::sim
