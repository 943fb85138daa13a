#include "server/flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "server/version.h"

namespace holdfast::server {
namespace {

struct Refused {
  const char* flag;
  const char* advice;
};

// Flags that exist, in the original or in plans, and would do nothing here: better refused than believed.
constexpr Refused kRefused[] = {
    {"--cache-mb", "documents are cached by the operating system; leave it out"},
    {"--compression", "this version stores documents as they are; leave it out"},
    {"--disable-crc", "checksums are always written and checked; leave it out"},
    {"--max-write-rate", "writers are slowed only when the disk falls behind; leave it out"},
    {"--max-offset-cache", "the primary index needs no such bound; leave it out"},
    {"--compaction", "this version does not compact; leave it out"},
    {"--compact-stale-ratio", "this version does not compact; leave it out"},
    {"--compact-min-size", "this version does not compact; leave it out"},
    {"--cluster-port", "this version is a single server; leave it out"},
    {"--allow-weaker-acks", "this version is a single server; leave it out"},
    {"--hook-collections", "this version has no hooks; leave it out"},
    {"--copy-window", "this version keeps no files for live copies; stop the server, then copy its directory"},
    {"--on-corruption", "damaged documents are reported and never served; leave it out"},
    {"--auto-index", "this version has no indexes besides _id; leave it out"},
    {"--indexes", "this version has no indexes besides _id; leave it out"},
    {"--index-memory-mb", "this version has no indexes besides _id; leave it out"},
    {"--memory-mb", "memory is bounded by the limits of the protocol; leave it out"},
};

// What the parser fills in, before it is checked.
struct Given {
  std::string port = "localhost:6900";
  std::string mode;
  uint32_t shards = 0;
  uint32_t cores = 1;
  uint64_t lag_ms = 100;
  uint64_t lag_bytes = uint64_t{8} << 20;
  bool insecure = false;
  bool debug = false;
  std::string offline_path = "./holdfast-data";
  std::string password;
  std::optional<std::string> password_file;
  std::string user;
  std::string role = "read-write";
  bool accept_loss = false;
  std::optional<std::string> record_disk;
  std::vector<std::string> mutants;
};

/// The commands besides serving; each works on a directory that no server has open.
void declare_offline(CLI::App& app, Given& given) {
  auto* verify = app.add_subcommand("verify", "Check every byte of a data directory while no server runs there; changes nothing. Exit: 0 sound, 3 damaged or refused");
  auto* repair = app.add_subcommand("repair", "List what is damaged in a data directory; with --accept-loss, give it up so that the rest can be served. Exit: 0 sound "
                                              "or repaired, 3 damaged or refused");
  auto* user = app.add_subcommand("user",
                                  "Say who may log in, while no server runs there; holdfast user does the same while "
                                  "one runs. Passwords are asked for, or come from "
                                  "--password-file or the variable HOLDFAST_PASSWORD");
  auto* add = user->add_subcommand("add", "Let somebody log in; from the first user on nobody else may do anything");
  auto* passwd = user->add_subcommand("passwd", "Give a user another password");
  auto* remove = user->add_subcommand("remove", "Let a user log in no more");
  auto* list =
      user->add_subcommand("list", "Print the users and their roles, and the key by which clients know this server");
  user->require_subcommand(1);
  for (CLI::App* command : {add, passwd, remove})
    command->add_option("NAME", given.user, "The user's name: letters, digits, and _ . @ -")->required();
  for (CLI::App* command : {add, passwd})
    command->add_option("--password-file", given.password_file, "The file whose first line is the password");
  add->add_option("--role", given.role, "read-write or read-only")
      ->check(CLI::IsMember({"read-write", "read-only"}))
      ->capture_default_str();
  for (CLI::App* command : {add, passwd, remove, list})
    command->add_option("--data-path", given.offline_path, "The directory; made when it is not there")
        ->capture_default_str();
  for (CLI::App* command : {verify, repair}) command->add_option("--data-path", given.offline_path, "The directory")->capture_default_str();
  repair->add_flag("--accept-loss", given.accept_loss, "Give up what is listed, for good");
  app.require_subcommand(0, 1);
}

void declare(CLI::App& app, Given& given, Config& config) {
  app.add_option("--data-path", config.engine.data_path, "Where the data is; made when it is not there")
      ->capture_default_str();
  app.add_option("--port", given.port, "[HOST:]PORT to listen on; port 0 takes a free one")->capture_default_str();
  app.add_flag("--insecure", given.insecure,
               "Allow an address that other machines can reach, though there are no users");
  app.add_option("--username", config.login.username,
                 "A user besides the stored ones (holdfastd user add), and the only one that the original's clients "
                 "can log in as");
  app.add_option("--password", given.password,
                 "That user's password; wiped from the list of processes, but better in a file");
  app.add_option("--password-file", given.password_file,
                 "The file whose first line is that user's password; the variable HOLDFAST_PASSWORD does too");
  app.add_option("--shards", given.shards, "Number of shards; fixed when the directory is made (256)")
      ->check(CLI::Range(1, 4096));
  app.add_option("--sync-mode", given.mode,
                 "sync: what is acknowledged is on disk; async: it is within --async-max-lag-ms (sync)")
      ->check(CLI::IsMember({"sync", "async"}));
  app.add_flag("--convert-sync-mode", config.engine.convert_mode, "Change the directory's mode to --sync-mode");
  app.add_option("--async-max-lag-ms", given.lag_ms, "async: the longest time that a commit stays unsynced")
      ->check(CLI::Range(1, 3'600'000))
      ->capture_default_str();
  app.add_option("--async-max-lag-bytes", given.lag_bytes, "async: the most bytes that stay unsynced")
      ->check(CLI::Range(uint64_t{4096}, uint64_t{1} << 40))
      ->capture_default_str();
  app.add_option("--cores", given.cores, "Threads that serve")->check(CLI::Range(1, 256))->capture_default_str();
  app.add_option("--db-name", config.default_database, "The database of requests that name none")
      ->capture_default_str();
  app.add_option("--load-dbs", config.load_databases,
                 "Databases that must be there, separated by commas; others are logged as missing")
      ->delimiter(',');
  app.add_option("--max-databases", config.engine.max_databases, "The most databases")
      ->check(CLI::Range(1, 65'536))
      ->capture_default_str();
  app.add_option("--max-connections", config.limits.connections, "The most connections")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_flag("--debug", given.debug, "Log more");
  app.set_version_flag("--version", fmt::format("holdfastd {}", kVersion));
  for (const Refused& r : kRefused) app.add_option(r.flag)->expected(0, 1)->group("");
}

/// What the suites of real processes (chaos) lean on.
void declare_for_tests(CLI::App& app, Given& given, Config& config) {
  auto add = [&](auto* option) { option->group("For tests"); };
  add(app.add_option("--test-record-disk", given.record_disk,
                     "Record every operation of the disk in this file, which must be new and outside --data-path"));
  add(app.add_option("--test-segment-bytes", config.engine.journal.segment_bytes, "Size of a journal segment")
          ->check(CLI::Range(uint64_t{8192}, uint64_t{1} << 30)));
  add(app.add_option("--test-checkpoint-bytes", config.engine.checkpoint_bytes, "Journal bytes between two checkpoints")
          ->check(CLI::Range(uint64_t{4096}, uint64_t{1} << 40)));
#ifdef HOLDFAST_MUTANTS
  add(app.add_option("--test-mutant", given.mutants, "Plant this bug"));
#endif
}

Result<> check_for_tests(const Given& given, const Config& config) {
  if (config.engine.journal.segment_bytes % 4096 != 0)
    return fail(Code::kBadRequest, "--test-segment-bytes: say a multiple of 4096");
  if (given.record_disk && given.record_disk->empty())
    return fail(Code::kBadRequest, "--test-record-disk: name a file");
  return {};
}

Result<> refuse_unsupported(const CLI::App& app) {
  for (const Refused& r : kRefused)
    if (app.count(r.flag) > 0) return fail(Code::kUnsupported, fmt::format("{}: {}", r.flag, r.advice));
  return {};
}

Result<> check_databases(const Config& config) {
  HF_CHECK_OK(core::check_database_name(config.default_database));
  for (const std::string& name : config.load_databases) HF_CHECK_OK(core::check_database_name(name));
  return {};
}

Result<Options> user_options(const CLI::App& user, const Given& given, Config config) {
  Options out{.command = Command::kUser, .user = given.user, .password_file = given.password_file};
  for (const auto& [name, command] : {std::pair("add", UserCommand::kAdd), std::pair("passwd", UserCommand::kPasswd),
                                      std::pair("remove", UserCommand::kRemove), std::pair("list", UserCommand::kList)})
    if (user.got_subcommand(name)) out.user_command = command;
  if (out.user_command != UserCommand::kList) HF_CHECK_OK(wire::check_user_name(given.user));
  if (given.offline_path.empty()) return fail(Code::kBadRequest, "--data-path: name a directory");
  out.role = *wire::role_of(given.role);
  config.engine.data_path = given.offline_path;
  out.config = std::move(config);
  return out;
}

/// Of the user of --username.
Result<> check_login(const Given& given, Config& config) {
  LoginConfig& login = config.login;
  bool secret = !given.password.empty() || given.password_file;
  if (login.username.empty() && secret)
    return fail(Code::kBadRequest, "--password and --password-file are of --username; say whose password it is");
  if (!given.password.empty() && given.password_file)
    return fail(Code::kBadRequest, "--password and --password-file: give one of the two");
  if (!login.username.empty()) HF_CHECK_OK(wire::check_user_name(login.username));
  login.password = wire::SecretText(given.password);
  return {};
}

Result<Options> options_of(const CLI::App& app, const Given& given, Config config) {
  if (app.got_subcommand("user")) {
    const CLI::App* user = app.get_subcommand("user");
    if (app.count_all() > user->count_all() + 1)
      return fail(Code::kBadRequest, "user takes its flags behind its name: holdfastd user add NAME --data-path DIR");
    return user_options(*user, given, std::move(config));
  }
  for (const auto& [name, command] : {std::pair("verify", Command::kVerify), std::pair("repair", Command::kRepair)}) {
    if (!app.got_subcommand(name)) continue;
    if (app.count_all() > app.get_subcommand(name)->count_all() + 1)
      return fail(Code::kBadRequest, fmt::format("{} takes --data-path only, behind its name: holdfastd {} --data-path DIR", name, name));
    if (given.offline_path.empty()) return fail(Code::kBadRequest, "--data-path: name a directory");
    config.engine.data_path = given.offline_path;
    return Options{.command = command, .accept_loss = given.accept_loss, .config = std::move(config)};
  }
  HF_CHECK_OK(refuse_unsupported(app));
  HF_TRY(endpoint, parse_endpoint(given.port));
  config.login.required = !given.insecure && !is_loopback(endpoint);
  HF_CHECK_OK(check_login(given, config));
  HF_CHECK_OK(check_databases(config));
  if (config.engine.convert_mode && given.mode.empty())
    return fail(Code::kBadRequest, "--convert-sync-mode: say which mode with --sync-mode");
  if (config.engine.data_path.empty()) return fail(Code::kBadRequest, "--data-path: name a directory");
  HF_CHECK_OK(check_for_tests(given, config));
  config.listen = std::move(endpoint);
  if (given.shards > 0) config.engine.shard_count = static_cast<uint16_t>(given.shards);
  if (!given.mode.empty()) config.engine.mode = given.mode == "sync" ? core::SyncMode::kSync : core::SyncMode::kAsync;
  config.engine.journal.async_lag_max = milliseconds(static_cast<int64_t>(given.lag_ms));
  config.engine.journal.async_lag_bytes_max = given.lag_bytes;
  return Options{.password_file = given.password_file,
                 .config = std::move(config),
                 .cores = static_cast<uint16_t>(given.cores),
                 .debug = given.debug,
                 .record_disk = given.record_disk,
                 .mutants = given.mutants};
}

}  // namespace

Flags parse_flags(std::span<const char* const> arguments) {
  CLI::App app("The Holdfast server. When it is ready it prints one line: holdfastd ready on HOST:PORT", "holdfastd");
  Given given;
  Config config;
  declare(app, given, config);
  declare_offline(app, given);
  declare_for_tests(app, given, config);
  Flags out;
  std::vector<std::string> backwards(arguments.rbegin(), arguments.rend());  // the order in which the parser takes them
  try {
    app.parse(std::move(backwards));
  } catch (const CLI::ParseError& e) {
    std::ostringstream output, errors;
    bool asked = app.exit(e, output, errors) == 0;
    out.exit_code = asked ? 0 : kExitUsage;
    out.output = std::move(output).str();
    out.errors = std::move(errors).str();
    return out;
  }
  Result<Options> options = options_of(app, given, std::move(config));
  if (!options) {
    out.exit_code = kExitUsage;
    out.errors = fmt::format("holdfastd: {}\n", options.error().code == Code::kUnsupported ? options.error().text()
                                                                                           : options.error().message);
    return out;
  }
  out.options = std::move(*options);
  return out;
}

Result<io::Endpoint> parse_endpoint(std::string_view text) {
  constexpr auto bad = [](std::string_view whole) {
    return fail(Code::kBadRequest,
                fmt::format("--port {}: say PORT or HOST:PORT, with an IPv4 address or a name and a number up to 65535",
                            whole));
  };
  size_t colon = text.rfind(':');
  io::Endpoint out{.host = "localhost", .port = 0};
  std::string_view number = text;
  if (colon != std::string_view::npos) {
    out.host = text.substr(0, colon);
    number = text.substr(colon + 1);
    if (out.host.empty() || out.host.contains(':') || out.host.contains('[')) return bad(text);
  }
  const char* end = number.data() + number.size();
  auto [parsed_to, error] = std::from_chars(number.data(), end, out.port);
  if (error != std::errc() || parsed_to != end || number.empty()) return bad(text);
  return out;
}

bool is_loopback(const io::Endpoint& endpoint) {
  // 127.0.0.0/8: four numbers, the first of which is 127.
  std::string_view host = endpoint.host;
  if (host == "localhost") return true;
  if (!host.starts_with("127.")) return false;
  return host.find_first_not_of("0123456789.") == std::string_view::npos && std::ranges::count(host, '.') == 3;
}

}  // namespace holdfast::server
