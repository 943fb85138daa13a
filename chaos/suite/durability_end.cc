// What follows when the clients are done and all is calm.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "chaos/suite/durability_run.h"
#include "core/verify.h"

namespace holdfast::chaos {
namespace {

/// Inserts after which a disk without room must have been noticed.
constexpr uint64_t kInsertsUntilFull = 3000;
/// How soon the server takes writes again when there is room.
constexpr Duration kWritesAgainWithin = seconds(10);

}  // namespace

using sim::End;

// ---- Reading everything ----

io::Task<int> Durability::verify(io::Host& host) {
  bool complete = co_await crud_.verify(host);
  complete = co_await collections_.verify(host) && complete;
  if (indexes_clients_ > 0) complete = co_await indexes_.verify(host) && complete;
  complete = co_await bulk_.verify(host) && complete;
  if (strangers_ && phase_ != Phase::kFlipped) complete = co_await strangers_->verify(host) && complete;
  if (accounts_clients_ > 0 && phase_ != Phase::kFlipped) complete = co_await accounts_->verify(host) && complete;
  if (transactions_clients_ > 0) complete = co_await transactions_.verify(host) && complete;
  if (complete && phase_ != Phase::kFlipped) {
    bulk_.judge();
    transactions_.judge();
  }
  co_return complete ? 0 : 1;
}

namespace {

/// After so long the server has been told of every error of unkind times: an operation of the disk that is to fail may be a slow one, and its process stand still.
Duration until_told(const sim::FaultPlan& unkind) {
  Duration out = milliseconds(10);
  if (unkind.sync_error + unkind.read_error + unkind.write_error == 0) return out;
  if (unkind.disk_slow > 0) out = out + milliseconds(static_cast<int64_t>(unkind.disk_slow_ms_max));
  if (unkind.pause > 0) out = out + milliseconds(static_cast<int64_t>(unkind.pause_ms_max));
  return out;
}

}  // namespace

/// All clients are done: no more faults; what is there must be right, serve, and stop clean.
void Durability::calm_down() {
  if (settings_.given("verify", 1, 0, 1, 0) == 0) return finish();  // a case whose violation came before
  phase_ = Phase::kCalm;
  server_.cancel_crash();
  Duration wait = until_told(world_.plan());
  sim::FaultPlan calm;
  calm.shuffle = world_.plan().shuffle;
  calm.quota_bytes = world_.plan().quota_bytes;
  world_.plan() = calm;
  disk_.give_back();
  if (server_.running() && hung_life_ == restarts_) server_.kill(End::kProcessDeath);
  start_server();
  world_.after(wait, [this] { start_verification(); });
}

void Durability::start_verification() {
  start_client(fmt::format("verifier-{}", ++verifications_), [this](io::Host& host) { return verify(host); },
               [this](int exit_code) { verified(exit_code == 0); });
}

void Durability::verified(bool complete) {
  if (phase_ == Phase::kFlipped || phase_ == Phase::kDone) return finish();
  if (!complete) {
    // A server that stopped because of an error from the unkind times comes back; not for ever, though.
    if (verifications_ >= 5) {
      ledger_.violation("a calm server did not answer every read");
      return finish();
    }
    return start_verification();
  }
  if (phase_ == Phase::kCalm && fills_calmly_ && server_.running()) return fill_the_disk();
  end_server();
}

// ---- The full disk ----

/// From here on the server may not end but by our hand; it must say that the disk is full, and answer every read.
void Durability::fill_the_disk() {
  phase_ = Phase::kFull;
  disk_.take_all();
  start_client("filler", [this](io::Host& host) { return fill_and_read(host); }, [this](int exit_code) { filled(exit_code); });
}

io::Task<int> Durability::fill_and_read(io::Host& host) {
  if (!co_await crud_.fill(host, kInsertsUntilFull)) {
    ledger_.violation("the disk has no room, and the server does not say so");
    co_return 1;
  }
  if (co_await verify(host) != 0) ledger_.violation("on a full disk the server did not answer every read");
  co_return 0;
}

void Durability::filled(int exit_code) {
  if (exit_code != 0 || !ledger_.violations().empty()) return finish();
  if (!settings_.one_in("filled/ends", 2)) return make_room();
  // It may refuse to start for as long as there is no room.
  phase_ = Phase::kFullEnd;
  switch (settings_.between("filled/how", 0, 2)) {
    case 0: stop_asked_ = true; break;  // sealing needs no room
    case 1: server_.kill(End::kProcessDeath); break;
    default: server_.kill(End::kPowerLoss);
  }
  world_.after(milliseconds(static_cast<int64_t>(settings_.between("filled/full-ms", 1, 3000))), [this] { make_room(); });
}

void Durability::make_room() {
  disk_.give_back();
  start_client("writer", [this](io::Host& host) { return write_again(host); },
               [this](int) {
                 if (!ledger_.violations().empty()) return finish();
                 phase_ = Phase::kCalm;
                 end_server();
               });
}

io::Task<int> Durability::write_again(io::Host& host) {
  if (!co_await crud_.insert_within(host, kWritesAgainWithin)) ledger_.violation("there is room again, and the server takes no writes");
  if (co_await verify(host) != 0) ledger_.violation("after its disk was full the server did not answer every read");
  co_return 0;
}

// ---- The calm ends ----

/// Once everything was read: a clean stop, or process death after a pause in which the server sealed its log. Either proves all of it.
void Durability::end_server() {
  if (!server_.running()) {
    world_.after(milliseconds(50), [this] { end_server(); });
    return;
  }
  phase_ = phase_ == Phase::kCalm ? Phase::kStopping : Phase::kEnding;
  if (!settings_.one_in(fmt::format("stop-{}/kill", phase_ == Phase::kStopping ? 1 : 2), 2))
    stop_asked_ = true;
  else
    world_.after(seconds(3), [this] { server_.kill(End::kProcessDeath); });
}

void Durability::ended_calmly(End how, int exit_code) {
  if (phase_ == Phase::kFlipped) return finish();  // it refused what is damaged: fine
  if (phase_ == Phase::kFull) {
    ledger_.violation("the server did not live through a full disk: " + last_words());
    return finish();
  }
  if (phase_ == Phase::kAfterStop) {
    world_.after(milliseconds(10), [this] { start_server(); });
    return;
  }
  if (how == End::kExit && exit_code != kExitClean) ledger_.violation("a calm server did not stop clean");
  if (phase_ == Phase::kEnding) return verify_offline();
  if (phase_ == Phase::kVerifying) return flip_a_bit();
  phase_ = Phase::kAfterStop;
  world_.after(milliseconds(10), [this] {
    start_server();
    start_verification();
  });
}

/// Nothing happened to the files but what may happen to any: there is nothing to find. A MANIFEST that rotted may still be there.
void Durability::verify_offline() {
  phase_ = Phase::kVerifying;
  if (rotten_manifest_ > 0) return flip_a_bit();
  server_.start([this](io::Host& host) { return verify_files(host); }, {.cores = 1});
}

io::Task<int> Durability::verify_files(io::Host& host) {
  auto report = co_await core::verify_directory(host, {.data_path = config_.engine.data_path, .id_hash_bits = config_.engine.id_hash_bits});
  if (!report)
    ledger_.violation("a sound directory could not be verified: " + report.error().text());
  else if (!report->sound())
    ledger_.violation("verification calls a sound directory damaged: " + report->damage.front());
  co_return kExitClean;
}

/// One bit of what is proven to be durable: it is reported or harmless, and no answer is wrong.
void Durability::flip_a_bit() {
  if (settings_.given("flip", 1, 0, 1, 0) == 0) return finish();
  phase_ = Phase::kFlipped;
  ledger_.durable_through = nullptr;  // what is damaged may be part of it
  sim::Stream place = world_.stream("suite/flip");
  // Half of the bits in the journal, which is few of the files but what recovery rests on.
  std::string_view below = place.decide(2) == 1 ? "/data/journal" : "/data";
  std::vector<std::string> files;
  for (const std::string& path : server_.durable().files(below))
    if (!path.ends_with("LOCK")) files.push_back(path);
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string& path = files[place.decide(files.size())];
    Buffer bytes = *server_.durable().read(path);
    if (bytes.empty()) continue;
    // Where something is: most of a segment is zeros.
    uint64_t block = place.decide((bytes.size() + 511) / 512) * 512;
    Bytes sector = Bytes(bytes).substr(block, 512);
    if (sector.find_first_not_of('\0') == Bytes::npos) continue;
    uint64_t offset = block + place.decide(sector.size());
    if (!server_.disk().flip_bit(path, offset, static_cast<uint8_t>(place.decide(8)), world_.counts())) continue;
    flipped_ = fmt::format("{} at {}", path, offset);
    world_.trace().note("suite: flipped a bit of " + flipped_);
    crud_.tolerate_corrupt = collections_.tolerate_corrupt = indexes_.tolerate_corrupt = bulk_.tolerate_corrupt = true;
    transactions_.tolerate_corrupt();
    start_server();
    start_verification();
    return;
  }
  finish();
}

/// Of two checkpoints the newer may rot: the older one and the journal have everything. Not again before two more were written: of two, one is
/// whole. Nor where a failed sync left pages clean that are not: the older one may be held by the cache alone.
void Durability::damage_newest_manifest() {
  std::vector<std::string> manifests;
  for (const std::string& path : server_.durable().files("/data"))
    if (path.starts_with("data/MANIFEST.") && server_.durable().size(path).value_or(0) > 0) manifests.push_back(path);
  if (manifests.size() < 2) return;
  auto number = [](const std::string& path) {
    uint64_t n = 0;
    std::from_chars(path.data() + path.rfind('.') + 1, path.data() + path.size(), n);
    return n;
  };
  const std::string& newest = *std::max_element(manifests.begin(), manifests.end(),
                                                [&](const std::string& a, const std::string& b) { return number(a) < number(b); });
  sim::Stream place = world_.stream(fmt::format("suite/end-{}/manifest-rots", ends_));
  if (world_.counts()[sim::Fault::kSyncErrorClean] > 0) return;
  if (rotten_manifest_ > 0 && number(newest) < rotten_manifest_ + 2) return;
  rotten_manifest_ = number(newest);
  uint64_t offset = place.decide(*server_.durable().size(newest));
  if (server_.disk().flip_bit(newest, offset, static_cast<uint8_t>(place.decide(8)), world_.counts()))
    world_.trace().note(fmt::format("suite: flipped a bit of {} at {}", newest, offset));
}

void Durability::finish() {
  phase_ = Phase::kDone;
  world_.stop();
}

}  // namespace holdfast::chaos
