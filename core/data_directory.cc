#include "core/data_directory.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/journal_segment.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

std::string_view mode_name(SyncMode mode) { return mode == SyncMode::kSync ? "sync" : "async"; }

/// The directory that holds `path`'s name.
std::string parent_of(const std::string& path) {
  size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Makes the data directory if it is missing, and its name durable. A name whose sync failed may be in the page cache alone, and another sync would have nothing to
/// do: it goes, so that the next start makes it anew.
io::Task<Result<>> make_data_directory(io::Disk& disk, std::string path) {
  Result<> made = co_await disk.make_dir(path);
  if (!made && made.error().code != Code::kExists) co_return fail(made);
  Result<> synced = co_await disk.sync_dir(parent_of(path));
  if (!synced && made) (void)co_await disk.remove(path);
  co_return synced;
}

/// Whether the directory holds anything of a database without saying so in HOLDFAST. What an unfinished first start leaves is nothing: empty
/// directories and the first MANIFEST.
io::Task<Result<bool>> has_remains(io::Disk& disk, std::string path) {
  HF_CO_TRY(entries, co_await disk.list(path));
  for (const io::DirEntry& e : entries) {
    if (e.name.starts_with("MANIFEST.") && e.name != "MANIFEST.1") co_return true;
    if (e.name != "journal" && e.name != "db") continue;
    HF_CO_TRY(inside, co_await disk.list(path + "/" + e.name));
    if (!inside.empty()) co_return true;
  }
  co_return false;
}

io::Task<Result<DirectorySettings>> make_settings(io::Host& host, const EngineOptions& options) {
  HF_CO_TRY(identity, co_await host.disk.identity(options.data_path));
  DirectorySettings settings;
  settings.cluster_id = host.random.entropy64();
  settings.server_id = host.random.entropy64();
  settings.shard_count = options.shard_count.value_or(256);
  settings.mode = options.mode.value_or(SyncMode::kSync);
  settings.identity = identity;
  co_return co_await create_settings(host, options.data_path, settings);
}

/// Steps three and four of a first start, MANIFEST.1 included; may run again after a crash at any point of an earlier try. Makes every name anew: one that is found may be in
/// the page cache alone, after a sync of the directory that failed, and another sync would do nothing.
io::Task<Result<>> initialize(io::Host& host, const std::string& path, const DirectorySettings& settings) {
  HF_CO_CHECK_OK(co_await empty_unfinished(host.disk, path));
  Manifest first;
  first.number = 1;
  co_return co_await write_manifest(host, path, first, settings.cluster_id, settings.server_id);
}

std::string no_manifest(const std::string& path, const std::vector<std::string>& notes) {
  std::string why = notes.empty() ? "its checkpoints are missing" : notes.front();
  return path + " has no valid MANIFEST: " + why + "; restore what is missing, damaged or another's from a backup";
}

/// A MANIFEST from before the first checkpoint names no segment: then there must be one all the same.
io::Task<Result<>> check_journal(io::Disk& disk, const std::string& path) {
  HF_CO_TRY(entries, co_await disk.list(path + "/journal"));
  for (const io::DirEntry& e : entries)
    if (parse_segment_name(e.name)) co_return Result<>();
  co_return fail(Code::kCorrupt, path + "/journal is empty, and all that was ever written is in it: restore it from a backup");
}

Result<> check_settings(const EngineOptions& options, const DirectorySettings& settings) {
  if (options.shard_count && *options.shard_count != settings.shard_count)
    return fail(Code::kUnsupported,
                fmt::format("{} was made with {} shards and cannot be opened with --shards {}: leave the option out, or export "
                            "the data and import it into a new directory",
                            options.data_path, settings.shard_count, *options.shard_count));
  if (options.mode && *options.mode != settings.mode && !options.convert_mode)
    return fail(Code::kUnsupported,
                fmt::format("{} is in {} mode and --sync-mode {} was given: leave the option out, or add --convert-sync-mode to "
                            "change the directory for good",
                            options.data_path, mode_name(settings.mode), mode_name(*options.mode)));
  return {};
}

}  // namespace

io::Task<Result<>> make_anew(io::Disk& disk, std::string path) {
  Result<std::vector<io::DirEntry>> entries = co_await disk.list(path);
  if (entries) {
    for (const io::DirEntry& e : *entries) HF_CO_CHECK_OK(co_await disk.remove(path + "/" + e.name));
    HF_CO_CHECK_OK(co_await disk.remove(path));
  } else if (entries.error().code != Code::kNotFound) {
    co_return fail(entries);
  }
  co_return co_await disk.make_dir(path);
}

io::Task<Result<>> empty_unfinished(io::Disk& disk, std::string path) {
  for (const char* name : {"/journal", "/db"}) HF_CO_CHECK_OK(co_await make_anew(disk, path + name));
  HF_CO_TRY(entries, co_await disk.list(path));
  for (const io::DirEntry& e : entries)
    if (e.name.starts_with("MANIFEST.")) HF_CO_CHECK_OK(co_await disk.remove(path + "/" + e.name));
  co_return co_await disk.sync_dir(path);
}

/// The newest MANIFEST is written again, twice, under the next numbers, and all others go. A sync of it may have failed in an earlier life: then it is in the page
/// cache alone, syncing it again does nothing, and as the one to fall back to it would be worth nothing. The one before it may be worth nothing either: when
/// its removal was undone by a power cut, segments that it needs are gone.
io::Task<Result<>> renew_manifest(io::Host& host, std::string path, OpenedDirectory& out) {
  if (MUTANT("manifest-believed-unsynced")) co_return Result<>();
  Manifest copy = out.newest;
  for (Manifest* as : {&out.previous, &out.newest}) {
    copy.number = out.highest_manifest_number + 1;
    Result<> written = co_await write_manifest(host, path, copy, out.settings.cluster_id, out.settings.server_id);
    if (!written && written.error().code == Code::kDiskFull) co_return Result<>();
    HF_CO_CHECK_OK(std::move(written));
    out.highest_manifest_number = copy.number;
    *as = copy;
  }
  co_await remove_old_manifests(host, path, out.newest.number, out.previous.number);
  co_return Result<>();
}

io::Task<Result<bool>> holds_finished_start(io::Disk& disk, std::string path) {
  HF_CO_TRY(entries, co_await disk.list(path));
  for (const io::DirEntry& e : entries) {
    if (e.name.starts_with("MANIFEST.") && e.name != "MANIFEST.1") co_return true;
    if (e.name != "journal" && e.name != "db") continue;
    HF_CO_TRY(inside, co_await disk.list(path + "/" + e.name));
    if (e.name == "db" && !inside.empty()) co_return true;
    for (const io::DirEntry& i : inside)
      if (auto seq = parse_segment_name(i.name)) {
        if (*seq != SegmentSeq(1)) co_return true;
        // Nothing is written to the first one before the start is over.
        HF_CO_TRY(bytes, co_await io::read_whole(disk, path + "/journal/" + i.name, UINT64_MAX));
        if (bytes.size() > kJournalBlock && !all_zero(Bytes(bytes).substr(kJournalBlock))) co_return true;
      }
  }
  co_return false;
}

io::Task<Result<OpenedDirectory>> open_directory(io::Host& host, const EngineOptions& options) {
  io::Disk& disk = host.disk;
  const std::string& path = options.data_path;
  OpenedDirectory out;
  HF_CO_CHECK_OK(co_await make_data_directory(disk, path));
  HF_CO_TRY(lock, co_await disk.lock(path + "/LOCK"));
  out.lock = std::move(lock);

  Result<DirectorySettings> settings = co_await load_settings(host, path);
  if (!settings && settings.error().code == Code::kNotFound) {
    HF_CO_TRY(remains, co_await has_remains(disk, path));
    if (remains)
      co_return fail(Code::kCorrupt, path + " holds parts of a database but no HOLDFAST file: it was damaged, or it is another "
                                            "program's; restore HOLDFAST or choose another --data-path");
    settings = co_await make_settings(host, options);
  } else if (settings && !settings->initialized) {
    HF_CO_TRY(finished, co_await holds_finished_start(disk, path));
    if (finished && !MUTANT("first-start-empties-a-database"))
      co_return fail(Code::kCorrupt, path + "/HOLDFAST says that the first start was not finished, and there is a "
                                            "database: it is an older HOLDFAST; restore it from a backup");
    // What an unfinished first start made goes first, and for good: without HOLDFAST nobody would know whose it is.
    if (!MUTANT("settings-gone-before-remains")) HF_CO_CHECK_OK(co_await empty_unfinished(disk, path));
    settings = co_await remake_settings(host, path, *settings);
  }
  if (!settings) co_return fail(std::move(settings));
  out.settings = *settings;
  HF_CO_CHECK_OK(check_settings(options, out.settings));
  if (!out.settings.initialized) {
    SOMETIMES(true, "directory-initialized");
    if (MUTANT("initialized-before-manifest")) HF_CO_CHECK_OK(co_await finish_first_start(host, path, out.settings));
    HF_CO_CHECK_OK(co_await initialize(host, path, out.settings));
  }

  HF_CO_TRY(identity, co_await disk.identity(path));
  out.identity = identity;

  HF_CO_TRY(manifests, co_await find_manifests(host, path, out.settings.cluster_id, out.settings.server_id));
  out.notes = std::move(manifests.notes);
  if (manifests.valid.empty()) co_return fail(Code::kCorrupt, no_manifest(path, out.notes));
  for (const char* name : {"journal", "db"})
    if (std::ranges::find(manifests.directories, name) == manifests.directories.end())
      co_return fail(Code::kCorrupt, fmt::format("{}/{} is missing: restore it from a backup", path, name));
  out.newest = manifests.valid.front();
  out.previous = manifests.valid.back();
  out.highest_manifest_number = manifests.highest_number;
  if (out.settings.initialized) HF_CO_CHECK_OK(co_await renew_manifest(host, path, out));
  if (out.settings.initialized && out.newest.position.segment == SegmentSeq(0)) HF_CO_CHECK_OK(co_await check_journal(disk, path));
  co_return out;
}

io::Task<Result<>> finish_first_start(io::Host& host, const std::string& data_path, DirectorySettings& settings) {
  settings.initialized = true;
  co_return co_await change_settings(host, data_path, settings);
}

}  // namespace holdfast::core
