// Recording: one directory through the lives of a few real servers, with the record of all that they asked of their disk and the chronicle of all that
// their clients were told.
#pragma once

#include <deque>

#include "chaos/oracle/chronicle.h"
#include "chaos/runner/real/disk_replay.h"
#include "chaos/runner/real/real_suite.h"
#include "chaos/runner/real/server_process.h"
#include "chaos/workload/scribes.h"
#include "io/host.h"

namespace holdfast::chaos {

/// One server's life. The record borrows from the bytes.
struct RecordedLife {
  Buffer bytes;
  real::OperationRecord record;
  DiskReplay::Settlement settlement;  ///< of what was under way when it ended
};

class Recording {
 public:
  /// `directory` exists; data/, server.log and the records are made in it.
  Recording(io::Host& host, const RealOptions& options, const std::string& mode, std::string directory, uint64_t seed);

  /// Runs it all, and plays each record once: after each life the model must be the directory, byte for byte. What is wrong is in the chronicle.
  io::Task<void> run();

  const std::deque<RecordedLife>& lives() const { return lives_; }
  const Chronicle& chronicle() const { return chronicle_; }
  const std::string& directory() const { return directory_; }
  /// The flags of every server of this directory, but for the recording.
  const std::vector<std::string>& flags() const { return flags_; }

 private:
  io::Task<void> live(bool last);
  io::Task<void> write_for_a_while(uint16_t port);
  void take_record(const std::string& path);

  io::Host& host_;
  const RealOptions& options_;
  std::string directory_;
  std::vector<std::string> flags_;
  Rng random_;
  Chronicle chronicle_;
  Scribes scribes_;
  DiskReplay replay_;
  std::deque<RecordedLife> lives_;
  std::optional<ServerProcess> server_;
  double usual_start_ = 0.05;
};

}  // namespace holdfast::chaos
