// A line on a terminal that tells how an import goes. On anything but a terminal it is silent.
#pragma once

#include <optional>

#include "io/base/time.h"

namespace holdfast::cli {

class Progress {
 public:
  /// `total_bytes`: of the input, when known. Draws on standard error.
  Progress(Time begin, std::optional<uint64_t> total_bytes);
  ~Progress();  ///< wipes its line

  /// Draws at most ten times a second.
  void show(Time now, uint64_t documents, uint64_t bytes);
  /// Makes way for a message on standard error.
  void wipe();

 private:
  bool on_terminal_;
  bool drawn_ = false;
  Time begin_;
  Time next_;
  std::optional<uint64_t> total_bytes_;
};

}  // namespace holdfast::cli
