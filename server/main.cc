// holdfastd: arguments, signals and exit codes around Server.
//
// Exit codes: 0 clean; 1 internal, or the address cannot be had; 2 usage; 3 the data directory was refused; 4
// fail-stop: the engine met a failed write, sync or read that it must not go on after.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "io/base/probe.h"
#include "io/real/real_host.h"
#include "io/real/recording_disk.h"
#include "io/real/secrets.h"
#include "server/flags.h"
#include "server/offline.h"
#include "server/server.h"
#include "server/version.h"

namespace {

using namespace holdfast;
using namespace holdfast::server;

enum ExitCode { kClean = 0, kInternal = 1, kUsage = kExitUsage, kDataRefused = 3, kFailStop = 4 };

// --test-mutant: what asks for a planted bug is answered here. One for all cores; it never changes.
class PlantedBugs final : public RunRecord {
 public:
  explicit PlantedBugs(const std::vector<std::string>& names) : names_(names) {}
  void probe(std::string_view) override {}
  bool mutant(std::string_view name) override { return std::ranges::find(names_, name) != names_.end(); }
  bool misbehave(std::string_view) override { return false; }

 private:
  const std::vector<std::string>& names_;
};

// Outlives the host's tasks.
struct Run {
  const Options& options;
  real::RealHost& host;
  PlantedBugs bugs{options.mutants};
  std::unique_ptr<Server> server;
  io::Event end_wanted;  // a signal or a failure
  std::optional<Error> failure;
  int exit_code = kClean;

  void log(io::Level level, std::string_view line) { host.host().log.log(level, line); }
};

// The first signal asks for the end; the second for a quick one. Before the server is there, nothing is promised to
// anyone, and recovery may be interrupted at any point: the process just ends.
io::Task<void> watch_signals(Run& run) {
  for (int seen = 0;; ++seen) {
    int signal = co_await run.host.wait_signal();
    run.log(io::Level::kInfo, fmt::format("signal {}: stopping", signal));
    if (!run.server) std::_Exit(kClean);
    if (seen > 0) run.server->hurry();
    run.end_wanted.set();
  }
}

io::Task<void> watch_failure(Run& run) {
  Error error = co_await run.server->wait_failed();
  if (error.code == Code::kShuttingDown) co_return;
  run.failure = std::move(error);
  run.end_wanted.set();
}

io::Task<void> end(Run& run) {
  if (run.failure)
    run.log(io::Level::kError,
            fmt::format("stopping for good: {}; what was acknowledged is safe, start again once the cause is mended",
                        run.failure->message));
  Result<> stopped = co_await run.server->stop();
  if (run.failure) {
    run.exit_code = kFailStop;
  } else if (!stopped) {
    run.log(io::Level::kError, fmt::format("could not stop clean: {}", stopped.error().message));
    run.exit_code = stopped.error().code == Code::kIo ? kFailStop : kInternal;
  } else {
    run.log(io::Level::kInfo, "stopped");
  }
}

io::Task<void> plant(Run& run) {
  if (run.options.mutants.empty()) co_return;
  io::Cores& cores = run.host.host().cores;
  for (uint16_t k = 0; k < cores.count(); ++k) cores.send(CoreId(0), CoreId(k), [&run] { current_run = &run.bugs; });
  co_await io::yield();  // messages come first, also on the other cores
}

io::Task<void> serve(Run& run) {
  io::Executor& here = co_await io::this_executor();
  here.spawn(watch_signals(run));
  co_await plant(run);
  Result<std::unique_ptr<Server>> opened = co_await Server::open(run.host.host(), run.options.config);
  if (!opened) {
    run.log(io::Level::kError, opened.error().message);
    Code code = opened.error().code;
    run.exit_code = code == Code::kInternal ? kInternal : code == Code::kAuth ? kUsage : kDataRefused;
    co_return;
  }
  run.server = std::move(*opened);
  if (Result<> listening = co_await run.server->listen(); !listening) {
    run.log(io::Level::kError, listening.error().message);
    (void)co_await run.server->stop();
    run.exit_code = kInternal;
    co_return;
  }
  here.spawn(watch_failure(run));
  fmt::print("holdfastd ready on {}\n", run.server->address().text());
  std::fflush(stdout);
  co_await run.end_wanted.wait();
  co_await end(run);
}

io::Task<void> work_offline(Run& run) {
  (co_await io::this_executor()).spawn(watch_signals(run));
  OfflineResult result = co_await run_offline(run.host.host(), run.options);
  fmt::print("{}", result.text);
  if (result.refused) run.log(io::Level::kError, *result.refused);
  run.exit_code = result.sound && !result.refused ? kClean : kDataRefused;
}

// Connections need descriptors, and so do shards and journal segments.
void fit_connections_to_descriptors(Options& options, std::string& warning) {
  constexpr uint64_t kFiles = 1024;
  Result<uint64_t> files = real::raise_file_limit();
  uint64_t wanted = options.config.limits.connections + kFiles;
  if (files && *files >= wanted) return;
  uint64_t have = files ? *files : kFiles;
  uint64_t possible = have > 2 * kFiles ? have - kFiles : have / 2;
  warning = fmt::format(
      "the process may open {} files: at most {} connections instead of {}; raise the limit (ulimit -n) for more", have,
      possible, options.config.limits.connections);
  options.config.limits.connections = static_cast<uint32_t>(possible);
}

// The record must lie elsewhere: the data directory is to hold what the server wrote, and nothing else.
Result<std::unique_ptr<real::OperationRecorder>> make_recorder(const Options& options) {
  if (!options.record_disk) return nullptr;
  std::error_code error;
  std::string data = std::filesystem::weakly_canonical(options.config.engine.data_path, error).string() + "/";
  std::string record = std::filesystem::weakly_canonical(*options.record_disk, error).string();
  if (record.starts_with(data))
    return fail(Code::kBadRequest, "--test-record-disk: " + record + " lies in the data directory; name a file elsewhere");
  return real::OperationRecorder::create(*options.record_disk);
}

constexpr const char* kPasswordVariable = "HOLDFAST_PASSWORD";

Result<Buffer> ask_twice() {
  HF_TRY(first, real::ask_secret("New password: "));
  wire::SecretText wanted(std::move(first));
  HF_TRY(second, real::ask_secret("The same again: "));
  if (!wire::equal(wanted, second)) return fail(Code::kBadRequest, "the two passwords differ; nothing was changed");
  return second;
}

// From where it comes, in this order: the argument, the file, the environment, the terminal (for user commands).
Result<> find_password(Options& options) {
  std::optional<Buffer> variable = real::take_secret_variable(kPasswordVariable);
  if (!options.needs_password()) return {};
  real::hide_memory();
  wire::SecretText& password = options.config.login.password;
  if (!password.empty()) return {};
  if (options.password_file) {
    HF_TRY(line, real::read_secret_file(*options.password_file));
    password = wire::SecretText(std::move(line));
  } else if (variable) {
    password = wire::SecretText(std::move(*variable));
  } else if (options.command == Command::kUser) {
    HF_TRY(typed, ask_twice());
    password = wire::SecretText(std::move(typed));
  } else {
    return fail(Code::kBadRequest, "--username needs a password: give --password-file FILE, or set HOLDFAST_PASSWORD");
  }
  return {};
}

// Everybody on the machine can read the arguments of a process.
void wipe_passwords(std::span<char*> arguments) {
  constexpr std::string_view kFlag = "--password";
  bool next = false;
  for (char* argument : arguments) {
    std::string_view text = argument;
    if (next) real::wipe_argument(argument);
    next = text == kFlag;
    if (text.starts_with(kFlag) && text.substr(kFlag.size()).starts_with('='))
      real::wipe_argument(argument + kFlag.size() + 1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags = parse_flags(std::span<const char* const>(argv + 1, static_cast<size_t>(argc - 1)));
  fmt::print("{}", flags.output);
  fmt::print(stderr, "{}", flags.errors);
  if (!flags.options) return flags.exit_code;
  wipe_passwords(std::span(argv + 1, static_cast<size_t>(argc - 1)));
  Options& options = *flags.options;
  wire::prefer_fast_crypto();
  if (Result<> found = find_password(options); !found) {
    fmt::print(stderr, "holdfastd: {}\n", found.error().message);
    return kUsage;
  }
  std::string warning;
  if (options.command == Command::kServe) fit_connections_to_descriptors(options, warning);
  Result<std::unique_ptr<real::OperationRecorder>> recorder = make_recorder(options);
  if (!recorder) {
    fmt::print(stderr, "holdfastd: {}\n", recorder.error().message);
    return kUsage;
  }
  real::RealHost host({.cores = options.cores,
                       .log_level = options.debug ? io::Level::kDebug : io::Level::kInfo,
                       .catch_signals = true,
                       .recorder = recorder->get()});
  Run run{.options = options, .host = host};
  if (options.command != Command::kServe) {
    host.run(work_offline(run));
    return run.exit_code;
  }
  run.log(io::Level::kInfo, fmt::format("holdfastd {}, data in {}", kVersion, options.config.engine.data_path));
  if (!warning.empty()) run.log(io::Level::kWarning, warning);
  host.run(serve(run));
  return run.exit_code;
}
