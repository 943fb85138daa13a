// TcpNetwork: IPv4 stream sockets of the operating system.
//
// The system calls are made here, on the connection's core, and only when they are likely to succeed; what waits for
// a socket to become ready is the core's reactor. A connection is accepted on the listener's core and touches its
// owner's reactor when its owner first waits.
#pragma once

#include "io/network.h"
#include "io/real/helper_threads.h"

namespace holdfast::real {

class TcpNetwork final : public io::Network {
 public:
  /// `threads` look up names.
  TcpNetwork(RealCores& cores, HelperThreads& threads) : cores_(cores), threads_(threads) {}

  io::Task<Result<std::unique_ptr<io::Listener>>> listen(io::Endpoint at) override;
  io::Task<Result<std::unique_ptr<io::Connection>>> connect(io::Endpoint to, Time deadline) override;

 private:
  RealCores& cores_;
  HelperThreads& threads_;
};

}  // namespace holdfast::real
