// What a seed of the durability suites makes of the server and of the machine.
#pragma once

#include <string>

#include "server/config.h"
#include "sim/faults.h"
#include "sim/stream.h"

namespace holdfast::chaos {

inline constexpr uint16_t kDurabilityPort = 6900;

server::Config draw_config(sim::Stream& random, core::SyncMode mode);
/// In one line.
std::string describe(const server::Config& c);
sim::FaultPlan draw_plan(uint64_t seed);

}  // namespace holdfast::chaos
