// Syncs, as the core does them: a sync that failed is never repeated, so its error must not look like one that can be
// waited out.
#pragma once

#include "io/disk.h"

namespace holdfast::core {

/// Durable: everything written to the file before. Errors: kIo alone, also where the system said "disk full": the
/// caller stops for good.
io::Task<Result<>> sync_file(io::File& file, std::string path);
/// Durable: the names in that directory. Errors as above.
io::Task<Result<>> sync_names(io::Disk& disk, std::string directory);

}  // namespace holdfast::core
