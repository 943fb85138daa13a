// Life: one incarnation of an engine on one disk, in a world of its own: one core, no network, nothing unkind but the
// crash that is asked for.
//
// The same arguments give the same life, operation for operation, up to the crash.
#pragma once

#include <functional>

#include "core/engine.h"
#include "sim/disk.h"
#include "sim/world.h"

namespace holdfast::chaos {

/// What a crash point leaves open, chosen one after the other: what became of the operations under way. `digits` names
/// one way, a character per question; `advance` goes to the next.
class Settlement final : public sim::SettleChooser {
 public:
  explicit Settlement(std::string digits = {}) : digits_(std::move(digits)) {}

  sim::HowMuch under_way(sim::DiskCall call) override;
  uint64_t written(uint64_t n) override;

  void rewind() { asked_ = 0; }
  /// False when that was the last way.
  bool advance();
  const std::string& digits() const { return digits_; }
  size_t asked() const { return asked_; }

 private:
  uint64_t choose(uint64_t options);
  std::string digits_;
  std::vector<uint64_t> options_;
  size_t asked_ = 0;
  std::optional<uint64_t> part_;  // of the write asked about just now
};

struct LifeOptions {
  std::string_view seed;  ///< names the world's choices
  uint64_t number = 1;    ///< likewise
  core::EngineOptions engine;
  const std::vector<std::string>* mutants = nullptr;
  /// After so much time, the disk has so much room.
  Duration room_after{};
  uint64_t room_bytes = 0;
  std::optional<sim::CrashPlan> crash;
  Settlement* settlement = nullptr;
  sim::Trace::Sink trace;
};

struct LifeEnd {
  std::unique_ptr<sim::DiskModel> disk;
  std::optional<Error> refused;  ///< opening was
  bool finished = false;         ///< the work ended; false: crashed, or stuck
  bool stuck = false;
  uint64_t operations = 0;       ///< of the disk
  std::vector<std::string> log;
};

/// Opens the engine, does the work, and ends as a process does that is killed. Work that wants to stop clean stops.
/// `work` outlives the life; it is called when the engine is open, and may return any named coroutine.
using Work = std::function<io::Task<void>(core::Engine&)>;
LifeEnd live(const LifeOptions& options, std::unique_ptr<sim::DiskModel> disk, const Work& work);

}  // namespace holdfast::chaos
