// Transactions of a running server: how many commit, how many meet others, and what a commit costs.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::bench {

struct TransactionOptions {
  std::string server;           ///< path of holdfastd
  std::string scratch = "/tmp";
  int workers = 16;             ///< one connection each, one transaction at a time
  int rounds = 3;
  double seconds = 2;           ///< per figure and round
  uint64_t documents = 100'000;
  uint64_t hot = 32;            ///< of them, when it is contended
  int document_bytes = 300;
};

/// Transactions that change 1, 4 and 16 documents, apart and contended, in async and sync mode; beside them single changes. Medians as JSON.
void measure_transactions(const TransactionOptions& options);

}  // namespace holdfast::bench
