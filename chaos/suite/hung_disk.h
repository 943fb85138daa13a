// The suite of disks that stop answering: a server under load, whose disk hangs for good in the midst of it.
//
// Writers with many requests under way each go on asking. Judged while the disk hangs: what the server holds for its clients keeps within its bounds; who
// comes later is told `overloaded` at once, once the stall is noticed; documents in memory are served, and so are figures. Then the disk goes on, and
// what waited is done; or the process ends, by kill or power cut, and starts again. Either way nothing acknowledged is lost, and the server takes
// writes again.
//
// In some seeds the bounds are so tight that what waits fills them: then nobody is read any more, and only memory and the end are judged.
#pragma once

#include "chaos/suite/suite.h"

namespace holdfast::chaos {

SeedResult run_hung_disk(const SeedOptions& options);

}  // namespace holdfast::chaos
