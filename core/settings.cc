// HOLDFAST: what a data directory is. Two slots, each a sealed block; both say the same except while they are being
// changed.
#include <fmt/format.h>

#include "core/durable.h"
#include "core/manifest.h"
#include "core/sealed.h"
#include "core/settings_format.h"
#include "io/base/assert.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

constexpr uint64_t kMagic = magic("HOLDFAST");
constexpr Versions kVersions{.oldest = 2, .newest = 2};

std::string settings_path(const std::string& data_path) { return data_path + "/HOLDFAST"; }

io::Task<Result<>> write_slot(io::File& file, int slot, const SettingsSlot& contents) {
  Buffer block = encode_settings_slot(contents);
  co_return co_await io::write_fully(file, static_cast<uint64_t>(slot) * kBlockBytes, block);
}

io::Task<Result<>> write_durably(io::File& file, std::string path, int slot, SettingsSlot contents) {
  HF_CO_CHECK_OK(co_await write_slot(file, slot, contents));
  co_return co_await sync_file(file, path);
}

struct OpenedSettings {
  std::unique_ptr<io::File> file;
  FoundSettings found;
};

io::Task<Result<OpenedSettings>> read_settings(io::Host& host, std::string data_path) {
  std::string path = settings_path(data_path);
  HF_CO_TRY(file, co_await host.disk.open(path, io::Open::kReadWrite));
  HF_CO_TRY(size, co_await file->size());
  Buffer bytes;
  grow(bytes, std::min(size, 2 * kBlockBytes));
  HF_CO_CHECK_OK(co_await io::read_exactly(*file, 0, bytes));
  Result<FoundSettings> found = decode_settings(bytes);
  if (!found) co_return fail(found.error().code, path + ": " + found.error().message);
  co_return OpenedSettings{std::move(file), *found};
}

/// What was read may be in the page cache alone, and even be taken for synced there after a sync that failed: only what
/// is written anew is synced for sure. The slot with the larger number was written last, when the other one was durable;
/// so it is the one that may be written again, as long as the other is whole.
io::Task<Result<>> make_durable(io::File& file, std::string path, FoundSettings found) {
  SettingsSlot next{.serial = found.slot.serial + 1, .settings = found.slot.settings};
  if (!found.other) {
    SOMETIMES(true, "settings-slot-mended");
    co_return co_await write_durably(file, path, 1 - found.index, next);
  }
  if (MUTANT("settings-both-slots-at-stake")) co_return co_await write_durably(file, path, 1 - found.index, next);
  // Earlier versions gave both slots one number: which of them was written last is not known.
  if (found.other->serial == found.slot.serial) HF_CO_CHECK_OK(co_await sync_file(file, path));
  HF_CO_CHECK_OK(co_await write_durably(file, path, found.index, found.slot));
  if (found.other->settings == found.slot.settings) co_return Result<>();
  SOMETIMES(true, "settings-change-completed");
  co_return co_await write_durably(file, path, 1 - found.index, next);
}

}  // namespace

Buffer encode_settings_slot(const SettingsSlot& slot) {
  Buffer block(kSealBytes, '\0');
  const DirectorySettings& s = slot.settings;
  append_le(block, slot.serial);
  append_le(block, s.cluster_id);
  append_le(block, s.server_id);
  append_le(block, s.identity.device);
  append_le(block, s.identity.inode);
  append_le(block, s.shard_count);
  append_le(block, static_cast<uint8_t>(s.mode));
  append_le(block, static_cast<uint8_t>(s.initialized));
  block.resize(kBlockBytes, '\0');
  seal(block, kMagic, kVersions.newest);
  return block;
}

Result<SettingsSlot> decode_settings_slot(Bytes block) {
  HF_CHECK_OK(check_seal(block, kMagic, kVersions));
  ByteReader in(block.substr(kSealBytes));
  SettingsSlot slot;
  DirectorySettings& s = slot.settings;
  slot.serial = in.le<uint64_t>();
  s.cluster_id = in.le<uint64_t>();
  s.server_id = in.le<uint64_t>();
  s.identity.device = in.le<uint64_t>();
  s.identity.inode = in.le<uint64_t>();
  s.shard_count = in.le<uint16_t>();
  uint8_t mode = in.le<uint8_t>(), initialized = in.le<uint8_t>();
  if (s.shard_count < 1 || s.shard_count > 4096 || mode > static_cast<uint8_t>(SyncMode::kAsync) || initialized > 1)
    return fail(Code::kCorrupt, "the settings are impossible");
  s.mode = static_cast<SyncMode>(mode);
  s.initialized = initialized != 0;
  return slot;
}

Result<FoundSettings> decode_settings(Bytes bytes) {
  std::optional<FoundSettings> best;
  for (int i = 0; i < 2; ++i) {
    if (bytes.size() < (static_cast<size_t>(i) + 1) * kBlockBytes) break;
    Result<SettingsSlot> slot = decode_settings_slot(bytes.substr(static_cast<size_t>(i) * kBlockBytes, kBlockBytes));
    if (!slot && slot.error().code == Code::kUnsupported) return fail(std::move(slot));
    SOMETIMES(!slot, "settings-slot-damaged");
    if (!slot) continue;
    if (!best)
      best = FoundSettings{*slot, i, std::nullopt};
    else if (slot->serial > best->slot.serial)
      best = FoundSettings{*slot, i, best->slot};
    else
      best->other = *slot;
  }
  if (!best) return fail(Code::kCorrupt, "no part of it is intact: restore it from a backup");
  return *best;
}

io::Task<Result<DirectorySettings>> create_settings(io::Host& host, std::string data_path, DirectorySettings settings) {
  std::string path = settings_path(data_path), temporary = path + ".new";
  Result<> removed = co_await host.disk.remove(temporary);
  if (!removed && removed.error().code != Code::kNotFound) co_return fail(removed);
  HF_CO_TRY(file, co_await host.disk.open(temporary, io::Open::kCreate));
  SettingsSlot slot{.serial = 1, .settings = settings};
  for (int i = 0; i < 2; ++i, ++slot.serial) HF_CO_CHECK_OK(co_await write_slot(*file, i, slot));
  if (!MUTANT("settings-renamed-before-sync")) HF_CO_CHECK_OK(co_await sync_file(*file, temporary));
  HF_CO_CHECK_OK(co_await host.disk.rename(temporary, path));
  HF_CO_CHECK_OK(co_await sync_names(host.disk, data_path));
  co_return settings;
}

io::Task<Result<DirectorySettings>> remake_settings(io::Host& host, std::string data_path, DirectorySettings settings) {
  SOMETIMES(true, "settings-made-anew");
  HF_CO_CHECK_OK(co_await host.disk.remove(settings_path(data_path)));
  co_return co_await create_settings(host, std::move(data_path), settings);
}

io::Task<Result<DirectorySettings>> load_settings(io::Host& host, std::string data_path) {
  HF_CO_TRY(opened, co_await read_settings(host, data_path));
  if (!opened.found.slot.settings.initialized) co_return opened.found.slot.settings;
  if (!MUTANT("settings-believed-unsynced"))
    HF_CO_CHECK_OK(co_await make_durable(*opened.file, settings_path(data_path), opened.found));
  HF_CO_CHECK_OK(co_await sync_names(host.disk, data_path));
  co_return opened.found.slot.settings;
}

io::Task<Result<>> change_settings(io::Host& host, std::string data_path, DirectorySettings settings) {
  HF_CO_TRY(opened, co_await read_settings(host, data_path));
  const FoundSettings& found = opened.found;
  std::string path = settings_path(data_path);
  SettingsSlot next{.serial = found.slot.serial + 1, .settings = settings};
  HF_CO_CHECK_OK(co_await write_durably(*opened.file, path, 1 - found.index, next));
  ++next.serial;
  co_return co_await write_durably(*opened.file, path, found.index, next);
}

}  // namespace holdfast::core
