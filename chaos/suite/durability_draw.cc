#include "chaos/suite/durability_draw.h"

#include <fmt/core.h>

#include "chaos/suite/suite.h"
#include "io/base/random.h"
#include "sim/trace.h"

namespace holdfast::chaos {

/// Tiny, so that rotation, checkpoints, merges and full queues happen in every seed.
server::Config draw_config(Settings& s, core::SyncMode mode, const Temper& temper) {
  server::Config c;
  c.listen = {"server", kDurabilityPort};
  core::EngineOptions& e = c.engine;
  e.data_path = "/data";
  e.shard_count = static_cast<uint16_t>(s.between("server.shards", 1, 6));
  e.mode = mode;
  e.journal.segment_bytes = s.between("server.segment-pages", 2, 16, 16) * 4096;
  e.journal.group_bytes_max = s.between("server.group-kb", 1, 16, 16) * 1024;
  e.journal.async_lag_max = milliseconds(static_cast<int64_t>(
      temper.short_lives ? s.given("server.lag-ms", 100, 1, 100, 1) : s.between("server.lag-ms", 1, 100)));
  e.journal.async_lag_bytes_max =
      (temper.short_lives ? s.given("server.lag-kb", 256, 1, 256, 64) : s.between("server.lag-kb", 1, 64, 64)) * 1024;
  e.journal.seal_after = milliseconds(static_cast<int64_t>(s.between("server.seal-ms", 1, 20, 20)));
  e.checkpoint_bytes =
      (temper.tears ? s.given("server.checkpoint-pages", 2, 1, 40, 40) : s.log_between("server.checkpoint-pages", 1, 40, 40)) * 4096;
  e.stall_after = milliseconds(static_cast<int64_t>(s.log_between("server.stall-ms", 50, 10'000, 10'000)));
  e.requests_per_shard = static_cast<uint32_t>(s.between("server.requests-per-shard", 1, 16, 16));
  e.scan_yield_documents = static_cast<uint32_t>(s.between("server.scan-yield", 1, 8, 8));
  e.scan_chunk_bytes = s.between("server.scan-half-kb", 1, 16, 16) * 512;
  e.index_tail_min = static_cast<uint32_t>(s.between("server.index-tail", 1, 32, 32));
  bool collide = s.one_in("server.hashes-collide", 2);
  e.id_hash_bits = collide ? static_cast<int>(s.between("server.hash-bits", 1, 6, 6)) : 64;
  if (s.one_in("server.tight", 3)) {
    c.limits.connections = static_cast<uint32_t>(s.between("server.connections", 6, 60, 60));
    c.limits.requests_per_connection = static_cast<uint32_t>(s.log_between("server.requests-per-connection", 1, 16, 16));
    c.limits.bytes_in_flight = s.log_between("server.budget-kb", 16, 1024, 1024) << 10;
    c.limits.answer_bytes = s.log_between("server.answers-kb", 1, 1024, 1024) << 10;
    c.limits.first_answer = s.log_between("server.first-answer", 64, 16 << 10, 16 << 10);
    c.limits.output_per_connection = s.log_between("server.output-kb", 1, 64, 64) << 10;
    c.limits.large_frame = s.log_between("server.large-frame-kb", 1, 16, 16) << 10;
    c.limits.starts_per_turn = static_cast<uint32_t>(s.log_between("server.starts-per-turn", 1, 64, 64));
  }
  // Transactions that end by themselves, and that find no room.
  if (s.one_in("server.transactions-tight", 3)) {
    e.transaction_idle = milliseconds(static_cast<int64_t>(s.log_between("server.transaction-idle-ms", 20, 60'000, 60'000)));
    e.transaction_remembered = milliseconds(static_cast<int64_t>(s.log_between("server.transaction-remembered-ms", 20, 60'000, 60'000)));
    e.max_transactions = static_cast<uint32_t>(s.log_between("server.max-transactions", 1, 100, 100));
    e.transactions_bytes = s.log_between("server.transactions-kb", 1, 1024, 1024) << 10;
    e.history_bytes = s.log_between("server.history-bytes", 1, 1 << 28, 1 << 28);
  }
  return c;
}

BankHistory::Bank draw_bank(Settings& s) {
  static constexpr BankHistory::Floor kFloors[] = {BankHistory::Floor::kNone, BankHistory::Floor::kAccount, BankHistory::Floor::kOwner};
  return {.accounts = 2 * s.between("transactions-owners", 1, 3), .accounts_per_owner = 2, .first_balance = 6, .floor = kFloors[s.between("transactions-floor", 0, 2)]};
}

TransactionRules rules_of(const core::EngineOptions& e) {
  // Histories of these runs never come to a mebibyte.
  return {.idle = e.transaction_idle, .remembered = e.transaction_remembered, .short_of_memory = e.history_bytes < (1 << 20)};
}

std::string describe(const server::Config& c) {
  const core::EngineOptions& e = c.engine;
  return fmt::format("shards={} segment={} group={} lag_ms={} lag_bytes={} seal_ms={} checkpoint={} per_shard={} index_tail={} hash_bits={}",
                     *e.shard_count, e.journal.segment_bytes, e.journal.group_bytes_max, e.journal.async_lag_max.ns / 1'000'000,
                     e.journal.async_lag_bytes_max, e.journal.seal_after.ns / 1'000'000, e.checkpoint_bytes, e.requests_per_shard,
                     e.index_tail_min, e.id_hash_bits);
}

sim::FaultPlan draw_plan(const SeedOptions& options, sim::FaultClasses classes) {
  sim::Trace unused;
  sim::FaultPlan plan = sim::swarm(options.seed, unused, classes);
  // Errors of reads and writes stop the server; a few are enough.
  plan.read_error = std::min<uint64_t>(plan.read_error, 500);
  plan.write_error = std::min<uint64_t>(plan.write_error, 500);
  // Some machines are bad at one thing: they leave garbage where the power failed, or lose what a sync failed to write.
  Rng bad(options.seed, "bad machine");
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
  for (const auto& [name, value] : options.overrides.settings) (void)sim::set_fault(plan, name, value);
  return plan;
}

void tell_plan(const sim::FaultPlan& plan, Material& out) {
  sim::FaultPlan plain;
  plain.shuffle = plain.sync_error_clean = plain.evict = 0;
  for (const sim::FaultField& f : sim::fault_fields())
    out.settings[std::string(f.name)] = {plan.*f.member, f.fault_class == sim::FaultClass::kShape ? plain.*f.member : 0};
}

}  // namespace holdfast::chaos
