// What a seed of the durability suites makes of the server and of the machine.
#pragma once

#include <string>

#include "chaos/suite/settings.h"
#include "chaos/workload/transactions.h"
#include "server/config.h"
#include "sim/faults.h"

namespace holdfast::chaos {

struct SeedOptions;

inline constexpr uint16_t kDurabilityPort = 6900;

/// What kind of seed it is, as far as the server's configuration follows it.
struct Temper {
  bool short_lives = false;  ///< many lives, one after the other: much is written and not synced when the power fails
  bool tears = false;        ///< torn sectors are the rule: checkpoints are written all the time, to be hit
};

server::Config draw_config(Settings& s, core::SyncMode mode, const Temper& temper);
BankHistory::Bank draw_bank(Settings& s);
/// What the server promises of transactions when it is configured like that.
TransactionRules rules_of(const core::EngineOptions& e);
/// In one line.
std::string describe(const server::Config& c);
sim::FaultPlan draw_plan(const SeedOptions& options, sim::FaultClasses classes);
/// The plan's fields as settings: faults are simplest when off, the rest as in a plan that nobody drew.
void tell_plan(const sim::FaultPlan& plan, Material& out);

}  // namespace holdfast::chaos
