#include "server/offline.h"

#include <fmt/format.h>

#include "core/repair.h"
#include "core/verify.h"

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

}  // namespace

io::Task<OfflineResult> run_offline(io::Host& host, const Options& options) {
  if (options.command == Command::kVerify) co_return co_await verify(host, options);
  co_return co_await repair(host, options);
}

}  // namespace holdfast::server
