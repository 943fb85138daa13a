// SimNetwork: streams of bytes between nodes: delay, pieces, stalls, resets in the middle of a write, half-closed
// streams.
//
// Names: a node is reached by its name; "localhost", "127.0.0.1" and "0.0.0.0" are the node itself. Nobody listening:
// kClosed. A machine without power, and a name that no node has, do not answer: kTimeout.
//
// A process that ends, ends its connections as the operating system does: in order, or by a reset, drawn. A machine
// that loses power says nothing; its peers hear of it much later.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "io/network.h"
#include "sim/link.h"
#include "sim/node.h"

namespace holdfast::sim {

class SimListener;

class SimNetwork {
 public:
  explicit SimNetwork(World& world) : world_(world) {}
  World& world() { return world_; }
  size_t links() const { return links_.size(); }

  // For the parts of the simulator.

  PathStreams& path(Node& from, Node& to);
  /// How long something takes on that way.
  Duration delay(Node& from, Node& to);
  /// Null when no node has that name.
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
