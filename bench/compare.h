// The comparisons that are published: Holdfast against the echo, in alternating rounds of one run; and restarts of small and large databases.
#pragma once

#include <string>

namespace holdfast::bench {

struct CompareOptions {
  std::string server;            ///< path of holdfastd
  std::string self;              ///< path of this program, to run the echo
  std::string scratch = "/tmp";  ///< where databases are made; a directory on the disk to be measured
  int rounds = 5;
  double seconds = 3;            ///< per figure and round
  int workers = 16;
  int document_bytes = 300;
};

/// Prints one JSON object: medians over the rounds, and ratios to the echo.
void compare(const CompareOptions& options);

struct RestartOptions {
  std::string server;
  std::string scratch = "/tmp";
  uint64_t documents = 100'000;
  int rounds = 5;
};

/// Fills a database, stops it clean, and measures from exec to the first answer to a find-by-id. Prints one JSON object.
void restart(const RestartOptions& options);

}  // namespace holdfast::bench
