// The load generator: workers with blocking sockets that send requests over the native protocol and time the answers.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::bench {

enum class Kind : uint8_t { kInsertOne, kInsertMany, kFindById, kUpdateOne, kUpsertOne, kDeleteOne, kPing, kEcho, kInsertNumbered };

struct Load {
  std::string host = "127.0.0.1";
  uint16_t port = 6900;
  Kind kind = Kind::kInsertOne;
  int workers = 16;
  int connections = 16;     ///< spread over the workers
  int depth = 1;            ///< requests under way per connection: 1 is a closed loop, more is pipelined
  int batch = 50;           ///< documents per insert-many
  int document_bytes = 300;
  double seconds = 3;
  uint64_t ids = 100'000;   ///< find, update, upsert: ids 0 … ids - 1 are there
  uint64_t first_id = 0;    ///< insert: where the ids of this run begin, so that runs do not meet
  std::string collection = "bench";
  std::string user;  ///< logs in by our own handshake, on every connection; empty: plaintext
  std::string password;
};

struct Figures {
  uint64_t requests = 0;
  uint64_t documents = 0;
  uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;
  double p50_us = 0, p95_us = 0, p99_us = 0, max_us = 0;
  double per_second() const { return static_cast<double>(requests) / seconds; }
  double documents_per_second() const { return static_cast<double>(documents) / seconds; }
};

Figures run(const Load& load);

/// Inserts documents 0 … n - 1 in batches, pipelined over a few connections.
void preload(const Load& load, uint64_t n);

/// The `_id` of document number n.
std::string bench_id(uint64_t n);

std::string json(const std::string& name, const Figures& figures);
std::string name_of(Kind kind);
/// Ends the program with a message when there is no such kind.
Kind kind_of(const std::string& name);

}  // namespace holdfast::bench
