// DurableLog: how much of a server's log a power cut at this very moment would surely leave.
//
// Place in the system: the suites ask at every acknowledgement, and every claim of a durable LSN, instead of waiting for a power cut that may never
// hit it. Goes by the durable bytes alone: HOLDFAST, the newest MANIFEST, and the chain of groups from there, decided as recovery does.
// Goes on from where it was last; after a restart, when positions may be superseded, it must forget.
#pragma once

#include <optional>
#include <string>

#include "core/journal.h"
#include "sim/node.h"

namespace holdfast::chaos {

class DurableLog {
 public:
  DurableLog(sim::Node& server, std::string data_path) : server_(server), path_(std::move(data_path)) {}

  /// The newest LSN that is in the durable log now, or 0.
  Lsn reaches();
  /// The log may go on elsewhere than it did.
  void forget() { position_.reset(); }

 private:
  struct Start {
    core::JournalIdentity identity;
    core::JournalPosition position;
  };
  std::optional<Start> start() const;
  /// Nothing: the log is not there, or not whole.
  std::optional<core::JournalPosition> end_of(const core::JournalPosition& base) const;

  sim::Node& server_;
  std::string path_;
  core::JournalIdentity identity_;
  std::optional<core::JournalPosition> position_;
};

}  // namespace holdfast::chaos
