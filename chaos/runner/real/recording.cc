#include "chaos/runner/real/recording.h"

#include <fmt/core.h>

#include <csignal>

#include "chaos/runner/real/image_files.h"
#include "io/sync.h"

namespace holdfast::chaos {
namespace {

constexpr int kLives = 4;
/// A server that needs longer has not started, or not stopped. Far beyond what a starved machine needs.
constexpr double kPatience = 900;

/// Small segments and frequent checkpoints: so a short run has many of the places where names change.
std::vector<std::string> flags_of(const RealOptions& o, const std::string& mode, uint64_t seed) {
  std::vector<std::string> flags = {"--sync-mode", mode, "--shards", "4", "--test-segment-bytes", "131072", "--test-checkpoint-bytes", "262144"};
  if (mode == "async") flags.insert(flags.end(), {"--async-max-lag-ms", "20"});
  if (seed % 3 == 0) flags.insert(flags.end(), {"--cores", "3"});
  flags.insert(flags.end(), o.flags.begin(), o.flags.end());
  return flags;
}

}  // namespace

Recording::Recording(io::Host& host, const RealOptions& options, const std::string& mode, std::string directory, uint64_t seed)
    : host_(host),
      options_(options),
      directory_(std::move(directory)),
      flags_(flags_of(options, mode, seed)),
      random_(seed, "recording"),
      chronicle_({.sync = mode == "sync"}),
      scribes_(chronicle_, random_.fork("scribes")),
      replay_(directory_) {}

io::Task<void> Recording::run() {
  for (int n = 1; n <= kLives && chronicle_.violations().empty(); ++n) co_await live(n == kLives);
}

/// From its start to its end: by SIGKILL at any moment, a third of the later ones while they start; now and then by SIGTERM under load.
io::Task<void> Recording::live(bool last) {
  std::string record = fmt::format("{}/record.{}", directory_, lives_.size());
  ServerOptions options{.program = options_.program, .directory = directory_, .flags = flags_};
  options.flags.insert(options.flags.end(), {"--test-record-disk", record});
  bool cut_short = !last && random_.chance(lives_.empty() ? 1 : 2, 6);
  double patience = cut_short ? usual_start_ * static_cast<double>(random_.below(1200)) / 1000 : kPatience;
  server_.emplace(ServerProcess::start(options));
  ServerProcess::State state = co_await wait_started(*server_, patience);
  if (state == ServerProcess::State::kReady) {
    usual_start_ = server_->startup_seconds();
    co_await write_for_a_while(server_->port());
  } else if (!cut_short || state == ServerProcess::State::kEnded) {
    chronicle_.violation(fmt::format("the server did not start: {}; it said:\n{}", describe_end(server_->status()), server_->log()));
  } else {
    server_->end(SIGKILL);
  }
  if (std::string found = find_report(server_->log()); !found.empty()) chronicle_.violation("the server reported:\n" + found);
  take_record(record);
}

io::Task<void> Recording::write_for_a_while(uint16_t port) {
  static constexpr int64_t kPausesMs[] = {1, 4, 12};
  io::TaskGroup writing(co_await io::this_executor());
  writing.spawn(scribes_.run(host_, {.server = {"127.0.0.1", port}, .pause_max = milliseconds(kPausesMs[random_.below(std::size(kPausesMs))])}));
  co_await io::sleep_for(milliseconds(static_cast<int64_t>(random_.between(100, 500))));
  if (server_->poll() == ServerProcess::State::kEnded)
    chronicle_.violation(fmt::format("the server ended by itself: {}; it said:\n{}", describe_end(server_->status()), server_->log()));
  bool kill = !random_.chance(1, 4);
  server_->signal(kill ? SIGKILL : SIGTERM);
  std::optional<int> status = co_await wait_ended(*server_, kPatience);
  if (!kill && !exited_with(status, 0))
    chronicle_.violation(fmt::format("after SIGTERM: {} instead of exit code 0; it said:\n{}", describe_end(status), server_->log()));
  scribes_.stop();
  co_await writing.drained();
}

void Recording::take_record(const std::string& path) {
  RecordedLife& life = lives_.emplace_back();
  life.bytes = read_file(path);
  Result<real::OperationRecord> record = real::parse_record(life.bytes);
  if (!record) return chronicle_.violation(record.error().message);
  life.record = std::move(*record);
  if (auto unexplained = replay_.play(life.record, &life.settlement)) chronicle_.violation(std::move(*unexplained));
}

}  // namespace holdfast::chaos
