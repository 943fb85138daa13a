// TcpConnection: one connected socket of TcpNetwork.
#pragma once

#include <netinet/in.h>

#include "io/network.h"
#include "io/real/real_cores.h"

namespace holdfast::real {

class TcpConnection final : public io::Connection {
 public:
  TcpConnection(RealCore& owner, Readiness socket, const sockaddr_in& peer);
  ~TcpConnection() override;

  io::Task<Result<size_t>> read_some(MutableBytes out) override;
  io::Task<Result<>> write_all(Bytes data) override;
  void close() override;
  std::string peer() const override { return peer_; }
  bool peer_is_local() const override { return peer_is_local_; }

 private:
  RealCore& owner_;
  Readiness socket_;
  std::string peer_;
  bool peer_is_local_;
  bool reading_ = false;
  bool writing_ = false;
  // What the last read tells about the next: the socket was emptied, so wait before asking it again. (A wait looks at
  // the socket's state and not at its changes, so nothing is missed when this is wrong.)
  bool emptied_ = true;
  int reads_in_a_row_ = 0;
};

}  // namespace holdfast::real
