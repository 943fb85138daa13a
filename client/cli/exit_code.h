// What `holdfast` tells its caller when it ends.
#pragma once

#include "io/base/error.h"

namespace holdfast::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitRefused = 1,    ///< the server said no, or a file could not be read or written
  kExitUsage = 2,      ///< the command line makes no sense
  kExitUncertain = 3,  ///< the server was not reached, or a write's outcome is unknown
};

constexpr ExitCode exit_code(Code code) {
  switch (code) {
    case Code::kUnreachable:
    case Code::kUnknownOutcome:
    case Code::kTimeout:
    case Code::kClosed: return kExitUncertain;
    default: return kExitRefused;
  }
}

}  // namespace holdfast::cli
