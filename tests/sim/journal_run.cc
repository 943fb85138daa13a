#include "tests/sim/journal_run.h"

#include <fmt/format.h>

#include "core/journal_segment.h"
#include "io/base/hash.h"

namespace holdfast::test {

using namespace core;

namespace {

constexpr JournalIdentity kIdentity{101, 202};
const std::string kDirectory = "data/journal";

uint64_t digest(const Entry& e) { return xxh3_64(e.effects, e.touched.size()); }

}  // namespace

/// One incarnation's journal and everybody who uses it. Outlives its frames.
struct JournalRun::Life final : JournalSink, ReplaySink {
  Life(JournalRun& r, int n) : run(r), number(n) {}

  io::Task<Result<>> replay(EntryRef entry) override {
    Lsn expected(replayed.value + 1);
    if (entry->lsn != expected) run.broken(fmt::format("replay jumps from LSN {} to {}", replayed.value, entry->lsn.value));
    replayed = expected;
    if (replayed.value > run.history_.size())
      run.broken(fmt::format("LSN {} came back: the log ended at {}", replayed.value, run.history_.size()));
    else if (run.history_[replayed.value - 1] != digest(*entry))
      run.broken(fmt::format("LSN {} is another entry than was written last", replayed.value));
    co_return Result<>();
  }

  io::Task<Result<>> condemned(EntryRef entry) override {
    if (journal_damage_expected) condemned_lsns.push_back(entry->lsn);
    else run.broken(fmt::format("without any damage LSN {} was condemned", entry->lsn.value));
    if (entry->lsn != replayed.next()) run.broken(fmt::format("replay jumps from LSN {} to {}", replayed.value, entry->lsn.value));
    replayed = entry->lsn;
    co_return Result<>();
  }

  void committed(std::span<const EntryRef> entries, Lsn durable) override {
    if (has_failed) run.broken("a commit was reported after the journal had failed");
    for (const EntryRef& e : entries) {
      if (e->lsn != last_committed.next())
        run.broken(fmt::format("commits jump from LSN {} to {}", last_committed.value, e->lsn.value));
      last_committed = e->lsn;
    }
    run.committed_ = std::max(run.committed_, last_committed);
    if (run.options_.mode == SyncMode::kSync && durable < last_committed) run.broken("sync mode committed what is not durable");
    told_durable(durable);
    if (run.options_.mode == SyncMode::kSync) run.must_survive_ = std::max(run.must_survive_, last_committed);
    progress.notify_all();
  }
  void durable(Lsn durable) override { told_durable(durable); }
  void told_durable(Lsn durable) {
    if (durable < last_durable) run.broken("the durable LSN moved back");
    if (has_failed) run.broken("something was called durable after the journal had failed");
    if (durable == last_durable) return;
    last_durable = durable;
    run.must_survive_ = std::max(run.must_survive_, durable);
    run.check_durable(durable, "is called durable and is not");
  }
  void failed(Error error) override {
    if (has_failed) run.broken("the journal failed twice");
    has_failed = true;
    failure = error.text();
    progress.notify_all();
  }
  void disk_full(bool full) override { is_full = full; }

  io::Task<void> client(int entries) {
    for (int i = 0; i < entries && !has_failed; ++i) {
      Lsn lsn = append();
      if (run.choice_.decide(4) == 0) lsn = append();  // two in one turn
      while (!has_failed && last_committed < lsn) co_await progress.wait();
      if (run.choice_.decide(16) == 0) co_await io::sleep_for(milliseconds(static_cast<int64_t>(run.choice_.between(1, 40))));
      if (run.choice_.decide(24) == 0 && (co_await journal->flush()).has_value() && last_durable < lsn)
        run.broken("flush returned before what was committed was durable");
    }
    --clients;
    progress.notify_all();
  }

  Lsn append() {
    auto entry = std::make_shared<Entry>();
    uint64_t kind = run.choice_.decide(32);
    uint64_t size = run.choice_.between(1, 300);
    if (kind == 1) size = run.choice_.between(3000, 9000);
    if (kind == 2 && !run.wanted_.small_script) size = run.options_.segment_bytes + run.choice_.decide(5000);
    std::string body = fmt::format("life {} entry {} ", number, run.world_.trace().hash());
    body.resize(size, static_cast<char>('a' + size % 26));
    entry->add({EffectKind::kPut, DatabaseId(1), ShardId(2), CollectionId(3), "key", body});
    uint64_t d = digest(*entry);
    Lsn lsn = journal->append(std::move(entry));
    if (lsn.value != run.history_.size() + 1) run.broken("append does not count on from the last entry");
    run.history_.push_back(d);
    return lsn;
  }

  io::Task<void> checkpoints() {
    while (!has_failed && clients > 0) {
      co_await progress.wait();
      if (run.choice_.decide(20) != 0) continue;
      Lsn limit(run.choice_.between(run.base_.lsn.value, last_durable.value));
      run.old_base_ = run.base_;
      run.base_ = journal->boundary_at(limit);
      if (run.base_.lsn > limit) run.broken("boundary_at goes beyond its limit");
      if (journal->bytes_since(run.base_) > journal->bytes_since(run.old_base_)) run.broken("bytes_since grows with the position");
      (void)co_await journal->release_before(run.old_base_);
    }
    checkpointing = false;
    progress.notify_all();
  }

  JournalRun& run;
  int number;
  Lsn replayed;
  Lsn last_committed;
  Lsn last_durable;
  bool journal_damage_expected = false;
  std::vector<Lsn> condemned_lsns;
  bool has_failed = false;
  bool is_full = false;
  std::string failure;
  int clients = 0;
  bool checkpointing = false;
  io::WaitList progress;
  std::unique_ptr<Journal> journal;
};

JournalRun::JournalRun(JournalRunOptions options)
    : wanted_(std::move(options)),
      world_({.seed = wanted_.seed, .plan = wanted_.plan, .mutants = wanted_.mutants}),
      choice_(world_.stream("journal-run")) {
  node_ = &world_.add_node("server");
  node_->end_hangs(seconds(1), sim::End::kPowerLoss);
  node_->on_end = [this](sim::End how, int code) { life_ended(how, code); };
  // The directory is there, durably: making it is not the journal's business.
  sim::DiskModel& disk = node_->disk();
  for (const char* directory : {"data", "data/journal"}) HF_ASSERT(disk.create(directory, true), "the disk is blank");
  for (const char* directory : {"", "data"}) disk.sync(*disk.find(directory), disk.mark(), node_->loss_profile());
  draw_options();
}

JournalRun::~JournalRun() = default;

void JournalRun::draw_options() {
  options_.mode = choice_.decide(2) == 0 ? SyncMode::kSync : SyncMode::kAsync;
  if (wanted_.mode) options_.mode = *wanted_.mode;
  options_.segment_bytes = kJournalBlock * (choice_.decide(2) == 0 ? choice_.between(2, 16) : choice_.between(16, 64));
  options_.group_bytes_max = choice_.between(200, 20'000);
  options_.async_lag_bytes_max = kJournalBlock * (choice_.decide(2) == 0 ? choice_.between(1, 12) : choice_.between(12, 100));
  options_.async_lag_max = milliseconds(static_cast<int64_t>(choice_.between(1, 100)));
  options_.seal_after = milliseconds(static_cast<int64_t>(choice_.between(1, 10)));
  if (!wanted_.short_lives) return;
  options_.mode = SyncMode::kAsync;
  options_.segment_bytes = 64 * kJournalBlock;
  options_.async_lag_bytes_max = 100 * kJournalBlock;
  options_.async_lag_max = milliseconds(500);
}

void JournalRun::broken(std::string what) {
  if (!broken_) broken_ = fmt::format("seed {}, life {}: {}", wanted_.seed, lives_.size(), what);
  world_.stop();
}

std::optional<sim::CrashPlan> JournalRun::draw_crash() {
  if (lives_.size() == 1 && wanted_.first_crash) return wanted_.first_crash;
  if (lives_.size() == 2 && wanted_.second_crash) return wanted_.second_crash;
  if (wanted_.first_crash || choice_.decide(6) == 0) return std::nullopt;
  if (wanted_.short_lives || choice_.decide(3) == 0) {  // soon after the opening, see live()
    crash_after_open_ = true;
    return std::nullopt;
  }
  uint64_t most = choice_.decide(2) == 0 ? 25 : 400;  // 25: mostly within recovery
  return any_crash(most);
}

sim::CrashPlan JournalRun::any_crash(uint64_t operations) {
  return {.operation = choice_.between(1, operations),
          .moment = static_cast<sim::Moment>(choice_.decide(3)),
          .how = choice_.decide(2) == 0 ? sim::End::kPowerLoss : sim::End::kProcessDeath};
}

void JournalRun::begin_life() {
  lives_.push_back(std::make_unique<Life>(*this, static_cast<int>(lives_.size())));
  Life& life = *lives_.back();
  bool last = static_cast<int>(lives_.size()) >= wanted_.lives;
  if (last && !faults_off_) {
    faults_off_ = true;
    sim::FaultPlan kind;
    kind.shuffle = world_.plan().shuffle;
    world_.plan() = kind;
  }
  crash_after_open_ = false;
  if (auto crash = last ? std::nullopt : draw_crash()) node_->crash_at(*crash);
  node_->start([this, &life](io::Host& host) { return live(host, life); }, {.cores = 1});
}

void JournalRun::life_ended(sim::End how, int code) {
  node_->cancel_crash();
  node_->add_log(fmt::format("life {} ended {} with {} {}; appended {}, committed {}, durable {}", lives_.back()->number, static_cast<int>(how),
                             code, lives_.back()->failure, history_.size(), lives_.back()->last_committed.value,
                             lives_.back()->last_durable.value));
  if (lives_.size() == 1) first_life_operations_ = node_->operations(sim::IoKind::kDisk);
  bool power = how == sim::End::kPowerLoss;
  // A process that ended leaves what it wrote to the cache; a power cut may come before the next life all the same.
  if (!power && choice_.decide(3) == 0) {
    node_->kill(sim::End::kPowerLoss);
    power = true;
  }
  // After a failed write or sync the cache itself may be wrong: then only what was durable counts.
  if (power || lives_.back()->has_failed || code > 0) committed_ = must_survive_;
  bool last = static_cast<int>(lives_.size()) >= wanted_.lives;
  if (last && code != 0) broken(fmt::format("the last life, without faults, ended with {}: {}", code, lives_.back()->failure));
  if (last || broken_)
    world_.stop();
  else
    world_.after(milliseconds(1), [this] { begin_life(); });
}

std::optional<std::string> JournalRun::run() {
  begin_life();
  auto why = world_.run({.until = seconds(36'000), .events = 3'000'000});
  if (why != sim::World::Stop::kAsked && !broken_)
    broken(fmt::format("it stands still or never ends ({})", static_cast<int>(why)));
  if (!broken_) return std::nullopt;
  std::string story = *broken_;
  for (const std::string& line : node_->log()) story += "\n  " + line;
  return story;
}

// Sometimes the newest MANIFEST is damaged, and then for good.
JournalPosition JournalRun::choose_base() {
  if (choice_.decide(3) == 0) base_ = old_base_;
  return base_;
}

/// What is called durable is in the durable images, and follows from the base that is surely there.
void JournalRun::check_durable(Lsn at_least, const char* claim) {
  auto view = node_->durable();
  std::vector<ScannedSegment> segments;
  for (const io::DirEntry& e : view.list(kDirectory)) {
    auto seq = parse_segment_name(e.name);
    if (!seq || *seq < base_.segment) continue;
    auto bytes = view.read(kDirectory + "/" + e.name);
    segments.push_back(scan_segment(*bytes, *seq, *seq == base_.segment ? base_.offset : kJournalBlock, kIdentity));
  }
  ChainDecision d = decide_chain(base_, segments);
  if (d.last < at_least) broken(fmt::format("LSN {} {}: the disk ends at {}", at_least.value, claim, d.last.value));
}

io::Task<int> JournalRun::live(io::Host& host, Life& life) {
  JournalPosition base = choose_base();
  life.replayed = base.lsn;
  auto opened = co_await Journal::open(host, kDirectory, kIdentity, options_, base, life);
  if (!opened) {
    life.failure = opened.error().text();
    if (opened.error().code != Code::kIo) broken("opening was refused: " + life.failure);
    co_return 3;
  }
  if (opened->last != life.replayed) broken("open tells another last LSN than it replayed");
  Lsn needed = std::max(must_survive_, committed_);
  if (life.replayed < needed) broken(fmt::format("LSN {} is lost: the log ends at {}", needed.value, life.replayed.value));
  host.log.log(io::Level::kInfo, fmt::format("life {} from LSN {} in segment {}@{}: replayed through {}{}", life.number, base.lsn.value,
                                             base.segment.value, base.offset, life.replayed.value, opened->clean ? ", clean" : ""));
  for (const std::string& note : opened->notes) host.log.log(io::Level::kInfo, note);
  // From here on this is the history, and all of it is durable.
  history_.resize(life.replayed.value);
  must_survive_ = committed_ = life.replayed;
  life.last_committed = life.last_durable = life.replayed;
  check_durable(life.replayed, "was replayed and is not durable");
  if (broken_) co_return 1;

  if (crash_after_open_) node_->crash_at(any_crash(wanted_.short_lives ? 30 : 12));
  life.journal = std::move(opened->journal);
  life.journal->start(life);
  io::Executor& here = co_await io::this_executor();
  int clients = wanted_.small_script || wanted_.short_lives ? 1 : static_cast<int>(choice_.between(1, 6));
  int entries = wanted_.short_lives ? 100 : wanted_.small_script ? 6 : static_cast<int>(choice_.between(1, 60));
  life.clients = clients;
  life.checkpointing = true;
  for (int i = 0; i < clients; ++i) here.spawn(life.client(entries));
  here.spawn(life.checkpoints());
  while (life.clients > 0 || life.checkpointing) co_await life.progress.wait();
  if (choice_.decide(2) == 0) co_await io::sleep_for(milliseconds(30));  // let it seal
  auto stopped = co_await life.journal->stop();
  if (stopped.has_value() == life.has_failed) broken("stop() tells something else than failed()");
  if (!stopped) co_return 4;
  if (life.last_committed.value != history_.size()) broken("stop() left entries uncommitted");
  must_survive_ = life.last_committed;
  check_durable(must_survive_, "was committed before a clean stop and is not durable");
  co_return 0;
}

JournalRun::Look JournalRun::look_at(std::unique_ptr<sim::DiskModel> disk, JournalOptions options) {
  Look look;
  std::swap(broken_, look.broken);  // what the replay finds is about this look alone
  sim::World world({.seed = wanted_.seed, .mutants = wanted_.mutants});
  sim::Node& node = world.add_node("server");
  node.replace_disk(std::move(disk));
  node.start([&](io::Host& host) { return peek(host, options, look); }, {.cores = 1});
  world.run();
  std::swap(broken_, look.broken);
  return look;
}

io::Task<int> JournalRun::peek(io::Host& host, JournalOptions options, Look& look) {
  lives_.push_back(std::make_unique<Life>(*this, static_cast<int>(lives_.size())));
  Life& life = *lives_.back();
  life.replayed = base_.lsn;
  life.journal_damage_expected = true;
  auto opened = co_await Journal::open(host, kDirectory, kIdentity, options, base_, life);
  look.condemned = life.condemned_lsns;
  if (!opened) {
    look.refused = opened.error();
    co_return 1;
  }
  if (life.replayed.value != history_.size())
    broken(fmt::format("the log ends at {} instead of {}, silently", life.replayed.value, history_.size()));
  look.notes = opened->notes;
  look.clean = opened->clean;
  co_return 0;
}

}  // namespace holdfast::test
