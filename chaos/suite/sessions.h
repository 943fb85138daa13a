// The suite `sessions`: requests that are to be executed once, sent again in every way, over resets and crashes (workload/once.h).
#pragma once

#include "chaos/suite/suite.h"

namespace holdfast::chaos {

SeedResult run_sessions(const SeedOptions& options);

}  // namespace holdfast::chaos
