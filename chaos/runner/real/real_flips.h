// real-flips: the real server on directories with one flipped bit.
//
// The directories are those of the simulated suite of flipped bits (suite/flips.h), written out as files. One random bit of one file is flipped; then the real
// `holdfastd verify` looks, and the real server is started and asked for everything. What it answers is what was written, or `corrupt`; or it refuses to start
// with exit code 3, naming the file. Verification finds whatever the server complains of; and of those that it complains of, every other is repaired
// (`holdfastd repair --accept-loss`) and must then be served again.
#pragma once

#include "chaos/runner/real/real_suite.h"

namespace holdfast::chaos {

/// Prints what it finds as it goes; 0 when there were no violations, else 1.
int run_real_flips(const RealOptions& options);

}  // namespace holdfast::chaos
