// The documents that workloads write: every one tells which write made it, so that what is read can be traced to it, whole or not at all.
//
//     { _id: key, v: value, n: counter, p: text that follows from the value,
//       h: { lo: least value, hi: greatest, l: [the last updates' values, at most three], s: [values modulo 4, each once],
//            w: [{r: remainder, n: updates whose value has it}, for 0 to 3], k: the same counts as numbers, t: [counter, counter] } }
//
// A document whose text does not follow from its value is half of one write and half of another, or none; one whose history does not agree with its value and
// counter was updated by something else than was asked for.
#pragma once

#include "chaos/oracle/document_history.h"
#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::chaos {

Buffer make_document(std::string_view key, uint64_t value);
struct DocumentUpdate {
  Buffer filter;  ///< by key, and by the remainder in `h.w`: where it is, `$` is in `h.k`
  Buffer update;
  Buffer array_filters;
};
/// Sets the value, and the text that follows from it, increments the counter, and goes on with the history.
DocumentUpdate make_update(std::string_view key, uint64_t value);
/// `{_id: key}`
Buffer by_key(std::string_view key);

struct ReadDocument {
  std::string key;
  DocumentState state;
};
/// kCorrupt, saying what does not fit, for anything but a document that make_document() and make_update() can have made.
Result<ReadDocument> read_document(Bytes document);

}  // namespace holdfast::chaos
