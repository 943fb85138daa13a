// Case: one failing run as text that people read, edit and commit.
//
//   holdfast-case 1
//   # comments and blank lines are skipped
//   suite durability-sync
//   seed 17
//   mutant ack-before-sync                       planted bugs, one a line; only a build of the preset `mutants` has them
//   expect LSN 9 was acknowledged, but ...       the violation, as a sentence
//   set clients 2                                a setting of the suite or a field of the fault plan
//   operations 0 5,7,9-12                        client 0 performs these alone; `-` stands for none
//   strike server/disk/sync-error 17             of this stream exactly these draws strike, whatever the rate
//   draw server/disk/power-loss/0/names 0 1      this draw comes out as 1; an index is OCCURRENCE or OCCURRENCE.DETAIL
//
// Everything that is not named is drawn from the seed. So a case goes on meaning the same run as long as the streams
// that it depends on keep their names and what their draws are about; where they do not, it is stale: it no longer shows
// the violation that it expects.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chaos/suite/overrides.h"
#include "io/base/error.h"

namespace holdfast::chaos {

/// A case that is to be committed is no longer than this.
inline constexpr size_t kCaseBytesMax = 16 << 10;

struct Case {
  std::string suite;
  uint64_t seed = 0;
  std::vector<std::string> mutants;
  std::string expect;  ///< empty: any violation
  Overrides overrides;
  bool operator==(const Case&) const = default;
};

/// Errors: kBadRequest, with the line and what is wrong with it.
Result<Case> parse_case(std::string_view text);
/// parse_case(to_text(c)) == c.
std::string to_text(const Case& c);

/// What kind of violation a sentence tells of: the same for sentences that differ in numbers, documents and operations
/// alone. Two runs with the same kind of violation are taken to show the same bug.
std::string kind_of(std::string_view violation);
/// What the judge says, up to the error code of the server that it quotes: the server's own words after that may change
/// without the case being stale.
std::string_view without_quote(std::string_view violation);

}  // namespace holdfast::chaos
