// real-power: power cuts of the real server, made up from a record of its disk.
//
// A recording is one directory through the lives of a few real servers, ended by kill -9 and now and then by SIGTERM, while scribes write. Every server
// records what it asks of its disk (--test-record-disk). Afterwards the record is played into the simulator's disk model up to many moments; at each the
// power is cut in the model, one of the legal states is drawn and written out as files, and the real server is started on them: it must start by itself,
// show what the chronicle demands at that moment, take a write and stop clean. Of every fourth image the power goes a second time, while the server
// recovers from the first.
#pragma once

#include "chaos/runner/real/real_suite.h"

namespace holdfast::chaos {

/// Prints what it finds as it goes; 0 when there were no violations, else 1.
int run_real_power(const RealOptions& options);

}  // namespace holdfast::chaos
