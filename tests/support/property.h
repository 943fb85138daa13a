// Property tests: gtest and RapidCheck in the one order that compiles, and generators of what Holdfast is fed with.
//
//   RC_GTEST_PROP(Journal, ReadsWhatWasWritten, (...)) { ... }
//
// The cases are the same on every run (seed 1, tests/support/main.cc). A failure prints a `reproduce=` string: run
// again with RC_PARAMS="reproduce=..."; other cases with RC_PARAMS="seed=2", more of them with
// RC_PARAMS="max_success=10000".
#pragma once

#include <gtest/gtest.h>

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "io/base/bytes.h"

namespace holdfast::test {

/// Runs of any bytes, mostly short.
inline rc::Gen<Buffer> any_bytes() { return rc::gen::container<Buffer>(rc::gen::arbitrary<char>()); }

/// Runs of up to `limit` bytes, every length as likely, contents from a drawn seed: for what cares about length, not
/// about bytes.
inline rc::Gen<Buffer> bytes_up_to(size_t limit) {
  return rc::gen::map(rc::gen::pair(rc::gen::inRange<size_t>(0, limit + 1), rc::gen::arbitrary<uint64_t>()),
                      [](const auto& p) {
                        Buffer b(p.first, '\0');
                        uint64_t x = p.second;
                        for (char& c : b)
                          c = static_cast<char>((x = x * 6364136223846793005ULL + 1442695040888963407ULL) >> 56);
                        return b;
                      });
}

}  // namespace holdfast::test
