// Import and export: whole files of documents, in bounded memory.
#pragma once

#include "client/cli/options.h"
#include "io/host.h"

namespace holdfast::cli {

struct ImportReport {
  uint64_t inserted = 0;
  uint64_t refused = 0;  ///< with --continue; each was named on standard error
};

/// "1 document", "5 documents".
std::string documents(uint64_t n);

/// Inserts the documents of line.file. An error stopped it; the message tells how many documents are in.
io::Task<Result<ImportReport>> import_file(io::Host& host, client::Collection into, const CommandLine& line);

/// Writes one snapshot to line.file, ordered by `_id`, one document a line.
io::Task<Result<>> export_file(client::Collection from, const CommandLine& line);

}  // namespace holdfast::cli
