// Crash enumeration: a short script, crashed at every operation of its disk, with every image that a power loss could
// have left there, as far as a cap allows; and again within the recovery from those.
//
// Place in the system: beside the suites that draw. They are long and sample everything; this is short and leaves
// nothing out. Pure: the runner (runner/enumerate.cc) gives it processes and prints.
//
// How: the script is run once without a crash (the rehearsal), which says what the database is at every LSN, and then
// up to each operation of its disk: before it, after it, within it, and with every way in which the operations under
// way may have come out. Each distinct disk that this leaves is a *state*. Its *images* are the disk itself (process
// death) and what LossPlans gives (power loss). An image is opened by the real recovery (exam.h) and judged by what had
// been acknowledged. Images that are equal are opened once, and judged each by itself.
//
// Nested: of some images of every state the recovery is crashed in turn, and so on down to `depth`. Where the image was
// clean, whatever happens to its recovery, the next one must find exactly the same.
#pragma once

#include <functional>

#include "chaos/suite/enumerate/address.h"
#include "chaos/suite/enumerate/scenario.h"

namespace holdfast::chaos {

struct EnumerateOptions {
  uint64_t cap = 64;            ///< images per state, torn ones besides
  uint32_t depth = 2;           ///< crashes within recovery, one after the other
  uint64_t part = 0, parts = 1; ///< only operations number n with n % parts == part
  std::vector<std::string> mutants;
  uint64_t failures_max = 3;    ///< ends after so many
  std::optional<Address> only;  ///< one image alone
  sim::Trace::Sink trace;
  /// Told of every image before it is opened.
  std::function<void(const Address&)> begins;
};

struct EnumerationFailure {
  std::string at;               ///< the address
  std::string what;
  std::vector<std::string> lost;  ///< by the last power loss
};

struct EnumerationCounts {
  uint64_t crash_points = 0;
  uint64_t states = 0;
  uint64_t states_exhausted = 0;  ///< every image of theirs was looked at, but for torn sectors
  uint64_t images = 0;
  uint64_t nested_images = 0;     ///< on top of those
  uint64_t opened = 0;            ///< images, nested ones too, that differed from all before
  uint64_t lives = 0;             ///< recoveries run

  static constexpr size_t kFields = 7;
  /// Name and value of each, in order.
  std::vector<std::pair<std::string_view, uint64_t*>> fields();
};

struct EnumerationResult {
  EnumerationCounts counts;
  uint64_t operations = 0;  ///< of the disk, in the rehearsal
  std::vector<EnumerationFailure> failures;
};

EnumerationResult enumerate(const Scenario& scenario, const EnumerateOptions& options);

}  // namespace holdfast::chaos
