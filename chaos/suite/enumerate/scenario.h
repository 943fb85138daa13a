// Scenarios: short scripts over a handful of documents, each about one thing that the engine does to its disk.
#pragma once

#include "chaos/suite/enumerate/script.h"

namespace holdfast::chaos {

struct Scenario {
  std::string name;        ///< "append-sync"
  std::string_view about;  ///< one sentence
  core::SyncMode mode = core::SyncMode::kSync;
  core::EngineOptions engine;  ///< tiny, so that everything happens soon

  /// What was there before; null: an empty disk. No crash happens here.
  io::Task<void> (*prepare)(Script&) = nullptr;
  enum class Before : uint8_t {
    kStopped,  ///< clean
    kKilled,   ///< the page cache holds what was not synced
    kCut,      ///< the power failed, and of what was not synced the oldest sector was lost, the rest survived
  } before = Before::kStopped;

  io::Task<void> (*run)(Script&) = nullptr;
  bool stops = false;                            ///< the run ends with a clean stop
  std::optional<core::SyncMode> converts_to;     ///< the run opens with --convert-sync-mode
  uint64_t quota_bytes = 0;                      ///< the disk during the run; 0: never full
  Duration room_after{};                         ///< with a quota: when room is made
};

/// One for each mode where that makes a difference.
const std::vector<Scenario>& scenarios();
/// Null when there is none.
const Scenario* find_scenario(std::string_view name);

}  // namespace holdfast::chaos
