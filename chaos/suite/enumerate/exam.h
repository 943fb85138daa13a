// Exam: a disk as a crash left it is opened by the real recovery, again and again, and must tell the same each time.
//
// Three lives. The first recovers and reads everything; then it dies, by process death or power loss. The second must
// find the same documents, names and LSN (recovery is idempotent, and what it showed was durable); it writes one more
// document and stops clean, or dies. The third must find that, too: in some exams after the newest MANIFEST was
// damaged, which must lose nothing.
//
// A function of the disk and the variant alone: equal disks need one exam.
#pragma once

#include "chaos/suite/enumerate/course.h"
#include "chaos/suite/enumerate/life.h"

namespace holdfast::chaos {

struct ExamOptions {
  core::EngineOptions engine;
  const std::vector<std::string>* mutants = nullptr;
  const History* history = nullptr;
  std::vector<std::string> keys;
  /// The disk may be full: then the first life may be refused for that, and must be taken once there is room.
  bool may_be_full = false;
  sim::Trace::Sink trace;
};

struct Verdict {
  std::optional<std::string> broken;
  Lsn lsn;
  core::SyncMode mode = core::SyncMode::kSync;
  uint64_t operations = 0;  ///< of the disk, in the first life
  uint32_t lives = 0;
};

/// How the first and the second life end: variants that are equal modulo this number end alike.
inline constexpr uint64_t kExamVariants = 15;
Verdict examine(const ExamOptions& options, std::unique_ptr<sim::DiskModel> disk, uint64_t variant);

/// The first life of an exam by itself, to crash in it.
LifeEnd first_recovery(const ExamOptions& options, std::unique_ptr<sim::DiskModel> disk, sim::CrashPlan crash,
                       Settlement& settlement);

}  // namespace holdfast::chaos
