// The durability suites: one server, several clients, and a machine that fails.
//
// A seed draws the configuration (tiny segments, shards, checkpoints, queues, 1 to 4 cores), the faults, and when the server dies: at any operation, by
// process death or power loss, one after the other too. Clients go on through all of it. After each restart, and at the end when everything is
// calm, the ledger judges. Then the server is stopped clean, one bit of its files is flipped, and it must not tell anything wrong.
#pragma once

#include "chaos/suite/suite.h"

namespace holdfast::chaos {

SeedResult run_durability_sync(const SeedOptions& options);
SeedResult run_durability_async(const SeedOptions& options);
/// The same world, with clients that change many documents at once; every fourth seed in async mode.
SeedResult run_updates(const SeedOptions& options);
/// The same world, whose connections are encrypted and whose network garbles what it carries; and strangers.
SeedResult run_encrypted(const SeedOptions& options);
/// The same world, with clients that use transactions; every third seed in async mode.
SeedResult run_transactions(const SeedOptions& options);

}  // namespace holdfast::chaos
