// Outcomes: the results of requests that change something, as sessions remember them (session_table.h). Pure.
//
// Part of the log's format: MessagePack, an array.
#pragma once

#include "core/modification.h"
#include "core/session_table.h"

namespace holdfast::core {

Buffer encode_outcome(const std::vector<Buffer>& ids);  ///< each a MessagePack value
Buffer encode_outcome(const Buffer& id);
Buffer encode_outcome(const Modified& modified);
Buffer encode_outcome(bool done);
Buffer encode_outcome(Lsn committed);

/// The result of a request that was executed before. kUnknownOutcome: it was too large to be kept. kCorrupt: it is that of another kind of request.
template <class T>
Result<T> decode_outcome(const SessionOutcome& outcome);
template <>
Result<std::vector<Buffer>> decode_outcome(const SessionOutcome& outcome);
template <>
Result<Buffer> decode_outcome(const SessionOutcome& outcome);
template <>
Result<Modified> decode_outcome(const SessionOutcome& outcome);
template <>
Result<bool> decode_outcome(const SessionOutcome& outcome);
template <>
Result<Lsn> decode_outcome(const SessionOutcome& outcome);

}  // namespace holdfast::core
