// What calls have in common: writing what is to be found, and reading results. Of the sources of Client alone.
#pragma once

#include "client/client.h"

namespace holdfast::client {

/// What is said of an answer that lacks something.
std::unexpected<Error> not_as_described(std::string_view what);

/// The value under `key` in a result, of that kind.
Result<msgpack::Value> field(Bytes result, std::string_view key, msgpack::Kind kind);

/// The pairs that say what is to be found, appended; returns how many there are.
Result<uint32_t> write_find(Buffer& out, Bytes query, const FindOptions& options);

}  // namespace holdfast::client
