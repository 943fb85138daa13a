#include "chaos/suite/durability_draw.h"

#include <fmt/core.h>

#include "io/base/random.h"
#include "sim/trace.h"

namespace holdfast::chaos {

/// Tiny, so that rotation, checkpoints, merges and full queues happen in every seed.
server::Config draw_config(sim::Stream& random, core::SyncMode mode) {
  server::Config c;
  c.listen = {"server", kDurabilityPort};
  core::EngineOptions& e = c.engine;
  e.data_path = "/data";
  e.shard_count = static_cast<uint16_t>(random.between(1, 6));
  e.mode = mode;
  e.journal.segment_bytes = random.between(2, 16) * 4096;
  e.journal.group_bytes_max = random.between(1, 16) * 1024;
  e.journal.async_lag_max = milliseconds(static_cast<int64_t>(random.between(1, 100)));
  e.journal.async_lag_bytes_max = random.between(1, 64) * 1024;
  e.journal.seal_after = milliseconds(static_cast<int64_t>(random.between(1, 20)));
  e.checkpoint_bytes = random.between(2, 40) * 4096;
  e.requests_per_shard = static_cast<uint32_t>(random.between(1, 16));
  e.scan_yield_documents = static_cast<uint32_t>(random.between(1, 8));
  e.scan_chunk_bytes = random.between(1, 16) * 512;
  e.index_tail_min = static_cast<uint32_t>(random.between(1, 32));
  e.id_hash_bits = static_cast<int>((random.decide(2) == 0) ? 64 : random.between(1, 6));
  return c;
}

std::string describe(const server::Config& c) {
  const core::EngineOptions& e = c.engine;
  return fmt::format("shards={} segment={} group={} lag_ms={} lag_bytes={} seal_ms={} checkpoint={} per_shard={} index_tail={} hash_bits={}",
                     *e.shard_count, e.journal.segment_bytes, e.journal.group_bytes_max, e.journal.async_lag_max.ns / 1'000'000,
                     e.journal.async_lag_bytes_max, e.journal.seal_after.ns / 1'000'000, e.checkpoint_bytes, e.requests_per_shard,
                     e.index_tail_min, e.id_hash_bits);
}

sim::FaultPlan draw_plan(uint64_t seed) {
  sim::Trace unused;
  sim::FaultPlan plan = sim::swarm(seed, unused, {.crash = true, .fail_stop = true});
  // Errors of reads and writes stop the server; a few are enough.
  plan.read_error = std::min<uint64_t>(plan.read_error, 500);
  plan.write_error = std::min<uint64_t>(plan.write_error, 500);
  // Some machines are bad at one thing: they leave garbage where the power failed, or lose what a sync failed to write.
  Rng bad(seed, "bad machine");
  switch (bad.below(4)) {
    case 0:
      plan.torn = 900'000;
      plan.garbage = 900'000;
      break;
    case 1:
      plan.sync_error = bad.between(2'000, 20'000);
      plan.sync_error_clean = 900'000;
      plan.evict = 500'000;
      break;
  }
  return plan;
}

}  // namespace holdfast::chaos
