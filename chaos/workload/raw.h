// What workloads have in common that speak the protocol themselves, one connection per request.
#pragma once

#include <memory>
#include <optional>

#include "io/host.h"
#include "io/wire/request.h"

namespace holdfast::chaos {

/// A whole frame.
Buffer raw_request(const wire::RequestWriter::Head& head, Bytes args);
/// The payload of the next frame; nothing when the connection ended first.
io::Task<std::optional<Buffer>> read_frame(io::Connection& connection);
/// Ends a connection that keeps its user waiting.
io::Task<void> close_at(std::shared_ptr<io::Connection> connection, Time when);

}  // namespace holdfast::chaos
