#include "core/durable.h"

namespace holdfast::core {
namespace {

Result<> fatal(Result<> synced, const std::string& path) {
  if (synced) return synced;
  return fail(Code::kIo, "syncing " + path + " failed, and what it holds is unknown: " + synced.error().message);
}

}  // namespace

io::Task<Result<>> sync_file(io::File& file, std::string path) { co_return fatal(co_await file.sync(), path); }

io::Task<Result<>> sync_names(io::Disk& disk, std::string directory) {
  co_return fatal(co_await disk.sync_dir(directory), directory);
}

}  // namespace holdfast::core
