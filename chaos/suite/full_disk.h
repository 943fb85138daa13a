// FullDisk: takes the room on a server's disk away, and gives it back.
//
// Place in the system: the durability suites own one. What is taken away is free room: another program's files grow. What the server has it keeps.
#pragma once

#include <functional>

#include "chaos/suite/settings.h"
#include "sim/world.h"

namespace holdfast::chaos {

class FullDisk {
 public:
  FullDisk(sim::World& world, sim::Node& server, Settings& settings) : world_(world), server_(server), settings_(settings) {}

  /// Again and again for a while, until `over()`: little room or none, up to `most` bytes. Each time is a setting, `full-1` and so
  /// on, with its own about it.
  void come_and_go(uint64_t most, std::function<bool()> over);
  /// Leaves that much room.
  void take(uint64_t room);
  /// None, however much the server frees, until give_back().
  void take_all();
  void give_back();

  /// A process begins: from here on it may meet a full disk, or has not.
  void server_starts() { met_ = tight_; }
  /// Whether room was short at some time since then.
  bool met() const { return met_; }
  uint64_t times() const { return times_; }

 private:
  sim::World& world_;
  sim::Node& server_;
  Settings& settings_;
  bool tight_ = false;
  bool met_ = false;
  bool keep_taking_ = false;
  uint64_t times_ = 0;
  uint64_t begun_ = 0;
};

}  // namespace holdfast::chaos
