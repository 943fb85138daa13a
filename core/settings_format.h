// The bytes of HOLDFAST, for settings.cc, its tests and its fuzzer. Pure.
#pragma once

#include "core/manifest.h"

namespace holdfast::core {

struct SettingsSlot {
  uint64_t serial = 0;
  DirectorySettings settings;
  bool operator==(const SettingsSlot&) const = default;
};

/// One block.
Buffer encode_settings_slot(const SettingsSlot& slot);

/// kCorrupt, kUnsupported.
Result<SettingsSlot> decode_settings_slot(Bytes block);

struct FoundSettings {
  SettingsSlot slot;
  int index = 0;                      ///< the slot that it was read from
  std::optional<SettingsSlot> other;  ///< what the other one holds; nothing when it is not valid
};
/// The valid slot with the larger serial number. kCorrupt when neither is valid, kUnsupported when one is intact and
/// newer.
Result<FoundSettings> decode_settings(Bytes bytes);

}  // namespace holdfast::core
