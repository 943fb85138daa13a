// Durability: one seed of the durability suites; see durability.h for what it does. Nobody else includes this.
//
// Sources: durability.cc (the server, its deaths, the clients, the result), durability_end.cc (what follows when all is calm: reading everything, a full disk, the
// clean stop, the flipped bit).
#pragma once

#include "chaos/suite/durability_draw.h"
#include "chaos/suite/durable_log.h"
#include "chaos/suite/full_disk.h"
#include "chaos/suite/guarded.h"
#include "chaos/suite/settings.h"
#include "chaos/suite/state.h"
#include "chaos/suite/suite.h"
#include "chaos/workload/accounts.h"
#include "chaos/workload/bulk.h"
#include "chaos/workload/collections.h"
#include "chaos/workload/crud.h"
#include "chaos/workload/indexes.h"
#include "chaos/workload/locks.h"
#include "chaos/workload/strangers.h"
#include "chaos/workload/transactions.h"
#include "server/server.h"
#include "sim/world.h"

namespace holdfast::chaos {

class Durability {
 public:
  /// Whose clients there are: of all workloads some; or those of one, with few others beside them; or clients that log
  /// in, and strangers.
  enum class Weight : uint8_t { kEven, kBulk, kTransactions, kGuarded };
  static bool is_of_one_workload(Weight weight) { return weight == Weight::kBulk || weight == Weight::kTransactions; }
  Durability(const SeedOptions& options, core::SyncMode mode, Weight weight = Weight::kEven);
  SeedResult run();

 private:
  // Exit codes of the simulated process.
  static constexpr int kExitClean = 0;
  static constexpr int kExitRefused = 3;
  static constexpr int kExitFailStop = 4;
  static constexpr int kExitFull = 5;  ///< refused to start on a full disk

  // durability.cc
  io::Task<int> serve(io::Host& host);
  /// Compares with what an earlier recovery came to; or remembers that and ends the process, for another one to compare. False: it does not go on.
  io::Task<bool> recovered_alike(core::Engine& engine);
  io::Task<void> stop_when_asked(server::Server& server);
  void start_server();
  void server_ended(sim::End how, int exit_code);
  void judge_exit(int exit_code);
  void plan_crash();
  void end_soon();
  /// Ends this life once that much is committed, or that time has passed.
  void end_at(Lsn target, sim::End how, Duration patience);
  void disk_hangs();
  void start_clients();
  bool performs(int client, uint64_t operation);
  /// As Settings::between draws it, for a setting whose range is wider.
  uint64_t usual(const char* name, uint64_t low, uint64_t high) { return world_.stream(std::string("setting/") + name).between(low, high); }
  void client_done();
  SeedResult result(sim::World::Stop why);
  uint64_t sync_errors();
  std::string last_words() const { return server_.log().empty() ? "" : server_.log().back(); }
  /// A process beside the server, once.
  void start_client(std::string name, std::function<io::Task<int>(io::Host&)> main, std::function<void(int)> on_end);

  // durability_end.cc
  io::Task<int> verify(io::Host& host);
  void calm_down();
  void start_verification();
  void verified(bool complete);
  void fill_the_disk();
  io::Task<int> fill_and_read(io::Host& host);
  void filled(int exit_code);
  void make_room();
  io::Task<int> write_again(io::Host& host);
  void ended_calmly(sim::End how, int exit_code);
  void end_server();
  void verify_offline();
  io::Task<int> verify_files(io::Host& host);
  void flip_a_bit();
  void damage_newest_manifest();
  void finish();

  Overrides overrides_;
  Material* material_;
  sim::World world_;
  Settings settings_;
  Temper temper_;
  server::Config config_;
  Ledger ledger_;
  Guarded guarded_;
  std::optional<client::LoginOptions> login_;
  bool unnumbered_;  // clients do without sessions
  Crud crud_;
  Collections collections_;
  Indexes indexes_;
  LocksOptions::Machines lock_machines_;
  Locks locks_;
  Bulk bulk_;
  Transactions transactions_;
  std::optional<Strangers> strangers_;
  std::optional<Accounts> accounts_;
  sim::Node& server_;
  DurableLog durable_log_;
  FullDisk disk_;
  int clients_;
  int collections_clients_;
  int indexes_clients_;
  int locks_clients_;
  int bulk_clients_;
  int transactions_clients_;
  int strangers_clients_;
  int accounts_clients_;
  int clients_running_;
  uint64_t crashes_;            // how many the seed has in store
  uint64_t crashes_begun_ = 0;  // of those, planned or left out
  uint64_t soon_ends_left_;     // how many lives may end soon
  bool small_disk_;   // the disk gets full now and then
  bool fills_calmly_;  // and once when all is calm
  uint64_t ends_ = 0;
  uint64_t recoveries_ = 0;
  uint64_t recovered_twice_ = 0;
  std::optional<State> recovered_;  // by a life that did nothing else
  uint64_t hangs_ = 0;
  uint64_t hung_life_ = 0;  // the last life whose disk hung; only its end ends that
  uint64_t rotten_manifest_ = 0;  // the number of the last one that rotted
  uint64_t restarts_ = 0;
  uint64_t power_losses_ = 0;
  uint64_t sync_errors_before_ = 0;  // this incarnation
  uint64_t refused_full_ = 0;
  uint64_t clients_started_ = 0;
  uint64_t verifications_ = 0;
  bool crashed_ = false;  // the last incarnation did not end by itself
  /// Of the newest incarnation. Not in a frame of its: when main returns after a fail-stop, tasks of the server are still there, and at a crash frames die in any
  /// order. So it stays until the next one, when everything of the incarnation is gone.
  std::unique_ptr<server::Server> serving_;
  bool stop_asked_ = false;
  enum class Phase : uint8_t {
    kFaults,     ///< clients run, the server crashes
    kCalm,       ///< all is quiet; everything is read
    kFull,       ///< the disk is full; everything is read; there is room again
    kFullEnd,    ///< the same, but the server was ended meanwhile and is started again until it can
    kStopping,   ///< asked to stop clean, or about to be killed after its seal
    kAfterStop,  ///< back again; everything is read once more
    kEnding,     ///< the same end, for the sake of its files
    kVerifying,  ///< no server: its files are verified
    kFlipped,    ///< back again with one flipped bit
    kDone
  } phase_ = Phase::kFaults;
  std::string flipped_;  // what was
};

}  // namespace holdfast::chaos
