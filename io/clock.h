// The host's clocks. Sleeping and deadlines belong to the executor (executor.h).
#pragma once

#include "io/base/time.h"

namespace holdfast::io {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;       ///< monotonic; any core may ask
  virtual WallTime wall() const = 0;  ///< for people and for retention by age; may jump
};

}  // namespace holdfast::io
