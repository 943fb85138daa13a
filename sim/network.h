// SimNetwork: streams of bytes between nodes: delay, pieces, stalls, resets in the middle of a write, half-closed
// streams.
//
// A link has two ends; what is sent to an end waits in its inbound pipe: bytes on the way, then bytes that have
// arrived. A pipe holds a limited number of bytes, both kinds together: a writer waits for room while the reader does
// not read. Delays are drawn per piece; order is kept.
//
// Names: a node is reached by its name; "localhost", "127.0.0.1" and "0.0.0.0" are the node itself. Nobody listening:
// kClosed. A machine without power, and a name that no node has, do not answer: kTimeout.
//
// A process that ends, ends its connections as the operating system does: in order, or by a reset, drawn. A machine
// that loses power says nothing; its peers hear of it much later.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "io/intrusive_list.h"
#include "io/network.h"
#include "sim/node.h"
#include "sim/operation.h"

namespace holdfast::sim {

class SimNetwork;
struct Link;
class ReadOperation;
class WriteOperation;
class SimListener;

/// The choices about one direction between two nodes.
struct PathStreams {
  Stream time, partial, stall, reset, half_close;
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
  ReadOperation* reader = nullptr;
  WriteOperation* writer = nullptr;
};

struct Link {
  Link(SimNetwork& n, uint64_t i)
      : network(n), id(i), ends{LinkEnd{.in = Pipe(*this, 0)}, LinkEnd{.in = Pipe(*this, 1)}} {}
  LinkEnd& other(int side) { return ends[1 - side]; }
  /// The choices about bytes on their way to that side.
  PathStreams& path_to(int side);
  void wake(int side);
  /// The end's owner wants no more of it: kEnd says so in order, kReset at once, nothing says nothing.
  void close(int side, std::optional<Pipe::Mark> goodbye, Duration delay);
  /// Breaks the whole link, as a box in the middle does.
  void break_both();
  void bounce(int from_side);

  SimNetwork& network;
  uint64_t id;
  LinkEnd ends[2];  ///< 0 connected, 1 accepted
};

class SimNetwork {
 public:
  explicit SimNetwork(World& world) : world_(world) {}
  World& world() { return world_; }
  size_t links() const { return links_.size(); }

  // For the parts of the simulator.

  PathStreams& path(Node& from, Node& to);
  Duration delay(Node& from, Node& to);
  Node* resolve(Node& from, std::string_view host);
  SimListener* listener(Node& node, uint16_t port);
  /// Takes the port, or a free one for 0; 0 when it is taken.
  uint16_t add_listener(Node& node, uint16_t port, SimListener& listener);
  void remove_listener(Node& node, uint16_t port);
  std::shared_ptr<Link> make_link(Incarnation& from, Incarnation& to);
  void forget(Link& link);
  /// Ends all connections and listeners of an incarnation.
  void end(Incarnation& host, End how);
  uint16_t client_port() { return next_client_port_++; }

 private:
  using Address = std::pair<uint16_t, uint16_t>;  // node, port
  World& world_;
  std::map<std::pair<uint16_t, uint16_t>, std::unique_ptr<PathStreams>> paths_;
  std::map<Address, SimListener*> listeners_;
  std::map<uint64_t, std::shared_ptr<Link>> links_;
  uint64_t next_link_ = 1;
  uint16_t next_port_ = 49152;
  uint16_t next_client_port_ = 32768;
};

/// One incarnation's view of the network.
class HostNetwork final : public io::Network {
 public:
  explicit HostNetwork(Incarnation& host) : host_(host) {}
  io::Task<Result<std::unique_ptr<io::Listener>>> listen(io::Endpoint at) override;
  io::Task<Result<std::unique_ptr<io::Connection>>> connect(io::Endpoint to, Time deadline) override;

 private:
  Incarnation& host_;
};

}  // namespace holdfast::sim
