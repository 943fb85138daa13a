// Flood: writers that insert as fast as the server takes it, and know what was acknowledged.
//
// Place in the system: beside Crud, which asks cleverly but little; the flood fills groups, segments and checkpoints. Runs over any io::Host; tells the
// ledger its violations. Every writer has keys of its own, `WRITER-0`, `WRITER-1` …, each tried once.
#pragma once

#include "chaos/oracle/ledger.h"
#include "client/client.h"

namespace holdfast::chaos {

struct FloodOptions {
  io::Endpoint server;
  int writers = 16;
  int connections = 2;
  Duration timeout = seconds(2);
};

class Flood {
 public:
  Flood(FloodOptions options, Ledger& ledger) : options_(std::move(options)), ledger_(ledger) {}

  /// Runs all writers, until stop().
  io::Task<void> run(io::Host& host);
  void stop() { stopping_ = true; }
  /// Whether everything acknowledged before is there, whole, and nothing that nobody wrote. Writers may go on meanwhile. False when the server did not answer.
  io::Task<bool> verify(io::Host& host);

  uint64_t acknowledged() const { return acknowledged_; }

 private:
  enum class Fate : uint8_t { kUnknown, kAcknowledged, kRefused };
  io::Task<void> write(client::Client& client, size_t writer);
  void check(Bytes document, std::vector<std::vector<bool>>& seen);

  FloodOptions options_;
  Ledger& ledger_;
  bool stopping_ = false;
  uint64_t acknowledged_ = 0;
  std::vector<std::vector<Fate>> fates_;  // per writer, per key
};

}  // namespace holdfast::chaos
