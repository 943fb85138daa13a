// Opening a data directory: whose it is, whether it may be opened, and the checkpoint to start from.
//
// Place in the system: the first step of Engine::open. The order of the first start, each step durable before the next: the directory, LOCK, HOLDFAST (not yet
// `initialized`), journal/ and db/, MANIFEST.1, the journal's first segment (Journal::open), HOLDFAST with `initialized` (finish_first_start). A crash anywhere
// in between leaves a directory that the next start initializes again: first it empties what is there, then it makes HOLDFAST anew, so that at no instant parts of
// a database lie there without it. Once `initialized` is there, everything must be.
#pragma once

#include "core/engine.h"
#include "core/manifest.h"

namespace holdfast::core {

struct OpenedDirectory {
  std::unique_ptr<io::FileLock> lock;
  DirectorySettings settings;
  io::FileIdentity identity;  ///< of the directory now; another than in `settings` when it is a copy
  Manifest newest;
  Manifest previous;  ///< the one before, or `newest` again
  uint64_t highest_manifest_number = 0;
  std::vector<std::string> notes;
};

/// Makes an empty directory under a name that is surely new, removing what is there: files, no directories. The caller syncs the parent.
io::Task<Result<>> make_anew(io::Disk& disk, std::string path);

/// Makes journal/ and db/ anew and empty, and removes every MANIFEST: of a directory whose first start has not come to its end. Durable when this returns.
io::Task<Result<>> empty_unfinished(io::Disk& disk, std::string path);

/// Whether a directory whose HOLDFAST says that its first start was not finished holds more than such a start leaves:
/// then HOLDFAST is an older one.
io::Task<Result<bool>> holds_finished_start(io::Disk& disk, std::string path);

/// Locks and opens `options.data_path`, making and initializing it when it is new or empty; then `settings.initialized` is false.
/// Errors: kLocked; kUnsupported (other settings than asked for, naming both; a newer format); kCorrupt (HOLDFAST,
/// journal/, db/ or every MANIFEST is missing or damaged; HOLDFAST is older than the rest); kDiskFull; kIo. On error
/// nothing was changed that matters.
io::Task<Result<OpenedDirectory>> open_directory(io::Host& host, const EngineOptions& options);

/// Everything is there, the journal's first segment too: from now on it must be. Sets `settings.initialized`; durable when this returns.
io::Task<Result<>> finish_first_start(io::Host& host, const std::string& data_path, DirectorySettings& settings);

}  // namespace holdfast::core
