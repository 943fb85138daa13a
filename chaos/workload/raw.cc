#include "chaos/workload/raw.h"

#include "io/wire/frame.h"

namespace holdfast::chaos {

Buffer raw_request(const wire::RequestWriter::Head& head, Bytes args) {
  Buffer out;
  wire::RequestWriter writer(out, head);
  writer.args().raw(args);
  (void)writer.end();
  return out;
}

io::Task<std::optional<Buffer>> read_frame(io::Connection& connection) {
  wire::FrameReader frames;
  for (;;) {
    Result<size_t> n = co_await connection.read_some(frames.prepare());
    if (!n || *n == 0) co_return std::nullopt;
    frames.commit(*n);
    Result<std::optional<Bytes>> frame = frames.next();
    if (!frame) co_return std::nullopt;
    if (*frame) co_return Buffer(**frame);
  }
}

io::Task<void> close_at(std::shared_ptr<io::Connection> connection, Time when) {
  co_await io::sleep_until(when);
  connection->close();
}

}  // namespace holdfast::chaos
