#include "server/offline.h"

#include <fmt/format.h>

#include "core/repair.h"
#include "core/verify.h"
#include "server/logins.h"
#include "server/users_file.h"

namespace holdfast::server {
namespace {

void list(std::string& out, std::string_view kind, const std::vector<std::string>& sentences, uint64_t all) {
  for (const std::string& s : sentences) out += fmt::format("{}: {}\n", kind, s);
  if (all > sentences.size()) out += fmt::format("{}: and {} more\n", kind, all - sentences.size());
}

std::string reason(const Error& error, std::string_view when_locked) {
  return error.code == Code::kLocked ? fmt::format("{}: a server runs there; {}", error.message, when_locked) : error.message;
}

io::Task<OfflineResult> verify(io::Host& host, const Options& options) {
  auto report = co_await core::verify_directory(host, {.data_path = options.config.engine.data_path, .reading = {}});
  if (!report) co_return OfflineResult{.refused = reason(report.error(), "holdfast verify asks a running server")};
  OfflineResult out{.sound = report->sound()};
  list(out.text, "damaged", report->damage, report->damaged);
  list(out.text, "note", report->notes, report->notes.size());
  out.text += fmt::format("{}: {} damaged; {} files, {} bytes, {} log entries, {} records, {} documents\n", report->sound() ? "sound" : "DAMAGED",
                          report->damaged, report->files, report->bytes, report->entries, report->records, report->documents);
  co_return out;
}

io::Task<OfflineResult> repair(io::Host& host, const Options& options) {
  core::Loss loss = options.accept_loss ? core::Loss::kAccepted : core::Loss::kListed;
  auto report = co_await core::repair_directory(host, options.config.engine, loss);
  if (!report) co_return OfflineResult{.refused = reason(report.error(), "stop the server first")};
  OfflineResult out{.sound = report->sound() || options.accept_loss};
  list(out.text, options.accept_loss ? "given up" : "would be given up", report->lost, report->lost_count);
  list(out.text, "done", report->done, report->done.size());
  if (report->sound())
    out.text += "sound: there is nothing to repair\n";
  else if (options.accept_loss)
    out.text += "repaired\n";
  else
    out.text += "nothing was changed; add --accept-loss to give up what is listed, after copying the directory\n";
  co_return out;
}

// --- Users.

/// The directory, which users may be the first to need.
io::Task<Result<std::unique_ptr<io::FileLock>>> lock_directory(io::Disk& disk, std::string path) {
  Result<> made = co_await disk.make_dir(path);
  if (!made && made.error().code != Code::kExists) co_return holdfast::fail(std::move(made));
  co_return co_await disk.lock(path + "/LOCK");
}

UserChange::Kind kind_of(UserCommand command) {
  switch (command) {
    case UserCommand::kRemove:
      return UserChange::Kind::kRemove;
    case UserCommand::kPasswd:
      return UserChange::Kind::kPasswd;
    default:
      return UserChange::Kind::kAdd;
  }
}

Result<> change(const Options& options, io::Random& random, Users& users) {
  UserChange wanted{.kind = kind_of(options.user_command), .user = {.name = options.user, .role = options.role}};
  if (wanted.kind != UserChange::Kind::kRemove) {
    std::array<char, wire::kSaltBytes> salt;
    random.entropy(salt);
    HF_TRY(verifier, wire::make_verifier(options.config.login.password, Bytes(salt.data(), salt.size()),
                                         options.config.login.cost));
    wanted.user.verifier = verifier;
  }
  Logins logins{.users = std::move(users), .psk = std::nullopt};
  Result<> done = apply(wanted, logins);
  users = std::move(*logins.users);
  return done;
}

std::string listed(const FoundUsers& found) {
  if (!found.users) return "no users: whoever reaches the server may do everything\n";
  std::string out = fmt::format("server key {}\n", wire::key_text(wire::x25519_public(found.users->key())));
  for (const User& u : found.users->all()) out += fmt::format("{} {}\n", u.name, wire::name(u.role));
  return out;
}

io::Task<OfflineResult> manage_users(io::Host& host, const Options& options) {
  const std::string& path = options.config.engine.data_path;
  constexpr std::string_view kOnline = "use holdfast user";
  if (options.user_command == UserCommand::kList) {
    auto found = co_await find_users(host.disk, path);
    if (!found) co_return OfflineResult{.refused = found.error().message, .why = found.error().code};
    co_return OfflineResult{.sound = true, .text = listed(*found)};
  }
  auto lock = co_await lock_directory(host.disk, path);
  if (!lock) co_return OfflineResult{.refused = reason(lock.error(), kOnline), .why = lock.error().code};
  auto found = co_await find_users(host.disk, path);
  if (!found) co_return OfflineResult{.refused = found.error().message, .why = found.error().code};
  Result<> done = co_await settle_users(host.disk, path, *found);
  Users users = found->users ? std::move(*found->users) : new_users(host.random);
  if (done) done = change(options, host.random, users);
  if (done) done = co_await write_users(host.disk, path, found->number, users);
  if (!done) co_return OfflineResult{.refused = done.error().message, .why = done.error().code};
  constexpr std::string_view kDone[] = {"added", "removed", "given another password"};
  co_return OfflineResult{
      .sound = true, .text = fmt::format("{} was {}\n", options.user, kDone[std::to_underlying(options.user_command)])};
}

}  // namespace

io::Task<OfflineResult> run_offline(io::Host& host, const Options& options) {
  if (options.command == Command::kUser) co_return co_await manage_users(host, options);
  if (options.command == Command::kVerify) co_return co_await verify(host, options);
  co_return co_await repair(host, options);
}

}  // namespace holdfast::server
