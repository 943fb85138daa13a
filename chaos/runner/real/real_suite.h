// The real suites: a real holdfastd on a real disk.
//
// real-kill, real-term: ended again and again under load, judged by the same ledger as the simulated ones. A run is made of rounds; a round is one end of the
// server. Every few rounds a fresh directory begins. real-power: power.h. real-flips: real_flips.h. Not replayable: what is drawn from the seed (moments,
// order, the workload) is only part of what happens.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::chaos {

enum class Ending : uint8_t {
  kKill,  ///< SIGKILL, at any moment, also while it starts
  kTerm,  ///< SIGTERM under load: exit code 0, and nothing to replay at the next start
};

struct RealOptions {
  std::string program;            ///< holdfastd
  std::string scratch;            ///< fresh directories are made in it
  std::vector<std::string> modes; ///< sync, async: one run after the other
  std::vector<std::string> flags; ///< more flags of the server's
  uint64_t rounds = 100;          ///< per mode
  uint64_t rounds_per_directory = 10;
  uint64_t seed = 1;
  int clients = 6;                ///< of the Crud workload
  int writers = 16;               ///< of the flood
  int load_ms_max = 500;          ///< a round's longest time under load
  bool keep = false;              ///< leave the directories of runs without violations, too
  // real-power, real-flips.
  std::optional<uint64_t> images;    ///< as many, per mode; each suite has a number of its own
  std::string images_in;             ///< where images are written: need not be a real disk
  int jobs = 2;                      ///< images looked at side by side
  uint64_t part = 1, parts = 1;      ///< only the part-th of so many equal shares
};

struct RealReport {
  std::string mode;
  uint64_t rounds = 0;
  uint64_t ended_starting = 0;   ///< of the rounds: before the server was ready
  uint64_t cuts = 0;             ///< connections broken while the server lived
  uint64_t verifications = 0;    ///< everything read back
  uint64_t checked = 0;          ///< operations answered and judged
  uint64_t unknown = 0;          ///< outcomes that clients could not know
  uint64_t flooded = 0;          ///< acknowledged inserts of the flood
  uint64_t checkpoints = 0;
  std::vector<double> startups;  ///< seconds until ready
  double wall_seconds = 0;
  std::vector<std::string> violations;

  void add(const RealReport& part);
  std::string text() const;
};

struct RealSuite {
  std::string_view name;
  std::string_view about;
  /// Prints what it finds as it goes; 0 when there were no violations, else 1.
  int (*run)(const RealOptions& options);
};
std::span<const RealSuite> real_suites();
/// Null when there is none.
const RealSuite* find_real_suite(std::string_view name);

/// A planted bug that a real suite must catch.
struct RealMutant {
  std::string_view name;
  std::string_view suite;
  std::string_view mode;
  std::string_view about;
};
std::span<const RealMutant> real_mutants();

/// Makes one in `scratch`. Ends this program with a message when it cannot.
std::string fresh_directory(const std::string& scratch, std::string_view suite);

}  // namespace holdfast::chaos
