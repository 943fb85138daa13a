// `wrong-disks`: a server finds its disk wiped, or a part of it; another node's disk, or files of it; files as they
// were earlier; or files that changed places.
//
// A seed makes a small directory (small_directory.h), its twin of another cluster, which has other documents under the
// same ids in files of the same names, and keeps the directory as it was at earlier quiet moments. Then each case of
// wrong_disks_cases.h is done to a copy of the disk and judged as media_exam.h says. Besides:
//   - a document may be `corrupt` only if its shard's file is not the right one, and with nothing wrong but that the
//   rest is served;
//   - a refusal names a file that is not the right one;
//   - what nobody complains of can be stopped clean and opened again, and is the same.
//
// What a single server cannot notice: everything is gone (that is a first start: an empty database, of a new cluster),
// and everything that counts is as it was at one earlier moment (a restored backup). The first is judged as such, the
// second left out; so is the newest segment as it was when it came into use, as that alone is such a moment.
#pragma once

#include "chaos/suite/suite.h"

namespace holdfast::chaos {

SeedResult run_wrong_disks(const SeedOptions& options);

}  // namespace holdfast::chaos
