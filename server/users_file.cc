#include "server/users_file.h"

#include <fmt/format.h>

#include <charconv>

#include "io/base/probe.h"

namespace holdfast::server {
namespace {

constexpr std::string_view kPrefix = "USERS.";
constexpr std::string_view kNew = "USERS.new";

std::string path_of(const std::string& data_path, uint64_t number) {
  return fmt::format("{}/{}{}", data_path, kPrefix, number);
}

/// Nothing for another file's name.
std::optional<uint64_t> number_of(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  uint64_t out = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out);
  bool plain = error == std::errc() && end == name.data() + name.size() && !name.starts_with('0');
  return plain ? std::optional(out) : std::nullopt;
}

io::Task<Result<>> remove_if_there(io::Disk& disk, std::string path) {
  Result<> removed = co_await disk.remove(path);
  if (!removed && removed.error().code != Code::kNotFound) co_return removed;
  co_return Result<>();
}

}  // namespace

Users new_users(io::Random& random) {
  wire::Key key, secret;
  random.entropy(key.bytes());
  random.entropy(secret.bytes());
  return Users(key, secret);
}

io::Task<Result<FoundUsers>> find_users(io::Disk& disk, std::string data_path) {
  Result<std::vector<io::DirEntry>> entries = co_await disk.list(data_path);
  FoundUsers out;
  if (!entries && entries.error().code == Code::kNotFound) co_return out;
  if (!entries) co_return holdfast::fail(std::move(entries));
  for (const io::DirEntry& e : *entries)
    if (std::optional<uint64_t> n = number_of(e.name); n && *n > out.number) out.number = *n;
  if (out.number == 0) co_return out;
  std::string path = path_of(data_path, out.number);
  Result<Buffer> bytes = co_await io::read_whole(disk, path, Users::kFileBytesMax);
  Result<Users> users = bytes ? Users::decode(*bytes) : Result<Users>(holdfast::fail(bytes));
  if (bytes) wire::wipe(*bytes);
  if (!users) {
    bool newer = users.error().code == Code::kUnsupported || users.error().code == Code::kIo;
    co_return fail(
        users.error().code,
        fmt::format(
            "{}, which says who may log in, cannot be used: {}{}", path, users.error().message,
            newer ? ""
                  : "; restore it from a backup, or move it away and add the users again with holdfastd user add"));
  }
  out.users = std::move(*users);
  co_return out;
}

io::Task<Result<>> settle_users(io::Disk& disk, std::string data_path, FoundUsers& found) {
  if (found.users) {
    Result<> written = co_await write_users(disk, data_path, found.number, *found.users);
    if (written) ++found.number;
    if (!written && written.error().code != Code::kDiskFull) co_return written;
  }
  HF_CO_TRY(entries, co_await disk.list(data_path));
  bool left = false;
  for (const io::DirEntry& e : entries) {
    std::optional<uint64_t> n = number_of(e.name);
    if (e.name != kNew && (!n || *n >= found.number)) continue;
    HF_CO_CHECK_OK(co_await remove_if_there(disk, data_path + "/" + e.name));
    left = true;
  }
  if (left) HF_CO_CHECK_OK(co_await disk.sync_dir(data_path));
  co_return Result<>();
}

io::Task<Result<>> write_users(io::Disk& disk, std::string data_path, uint64_t number, const Users& users) {
  std::string fresh = fmt::format("{}/{}", data_path, kNew);
  HF_CO_CHECK_OK(co_await remove_if_there(disk, fresh));
  HF_CO_TRY(file, co_await disk.open(fresh, io::Open::kCreatePrivate));
  Buffer bytes = users.encode();
  Result<> written = co_await io::write_fully(*file, 0, bytes);
  wire::wipe(bytes);
  if (written && !MUTANT("users-not-synced")) written = co_await file->sync();
  if (!written) {
    (void)co_await disk.remove(fresh);
    co_return written;
  }
  HF_CO_CHECK_OK(co_await disk.rename(fresh, path_of(data_path, number + 1)));
  if (!MUTANT("users-directory-not-synced")) HF_CO_CHECK_OK(co_await disk.sync_dir(data_path));
  if (number > 0) (void)co_await remove_if_there(disk, path_of(data_path, number));
  co_return Result<>();
}

}  // namespace holdfast::server
