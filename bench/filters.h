// What a filter costs: the compiled one over raw documents, beside SQLite's json_extract and a parser's look at the same data as JSON.
#pragma once

#include <cstdint>

namespace holdfast::bench {

struct FilterOptions {
  uint64_t documents = 200'000;
  int document_bytes = 300;
  int rounds = 5;
};

/// Prints documents and bytes per second of each, medians of rounds in which they take turns, and ratios. All must find the same number of documents.
void measure_filters(const FilterOptions& options);

}  // namespace holdfast::bench
