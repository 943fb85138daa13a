// How an encrypted link begins: the handshake, before anything else is sent.
#include <fmt/core.h>

#include "client/link.h"
#include "client/login.h"

namespace holdfast::client {

// A connection on which nothing comes is closed at the deadline, which ends the reading.
io::Task<void> Link::close_at(std::shared_ptr<Link> self, Time deadline, Watch& watch) {
  if (!co_await watch.over.wait(deadline) && self->connection_) self->connection_->close();
  watch.ended.set();
}

io::Task<Result<>> Link::shake_hands(Time deadline) {
  io::Executor& here = co_await io::this_executor();
  Watch watch;
  here.spawn(close_at(shared_from_this(), deadline, watch));
  Result<> done = co_await exchange_keys();
  watch.over.set();
  co_await watch.ended.wait();
  if (!done && done.error().code == Code::kClosed && here.now() >= deadline)
    co_return fail(Code::kTimeout, "the handshake was not answered in time");
  co_return done;
}

io::Task<Result<>> Link::exchange_keys() {
  std::unique_ptr<wire::ClientHandshake> handshake = options_.login->handshake(host_.random);
  Buffer hello = handshake->hello();
  HF_CO_CHECK_OK(co_await connection_->write_all(hello));
  Buffer begun;
  bool first = true;
  while (size_t wanted = handshake->wanted()) {
    while (begun.size() < wanted) {
      std::array<char, 512> room;
      HF_CO_TRY(n, co_await connection_->read_some(room));
      if (n == 0) co_return fail(Code::kClosed, "the server closed the connection within the handshake");
      begun.append(room.data(), n);
      // Who cannot shake hands answers in plaintext, as to any request.
      if (begun[0] != wire::kHandshakeMark && first) co_return co_await refused(std::move(begun));
    }
    first = false;
    HF_CO_TRY(answer, handshake->take(Bytes(begun).substr(0, wanted)));
    begun.erase(0, wanted);
    if (!answer.empty()) HF_CO_CHECK_OK(co_await connection_->write_all(answer));
  }
  if (!begun.empty()) co_return fail(Code::kAuth, "the server said more than it was asked");
  wire::FrameKeys keys = handshake->keys();
  seals_.emplace(wire::FrameSealer(keys.style, keys.send), wire::FrameOpener(keys.style, keys.receive));
  reader_.set_limit(wire::kMaxReplySize);
  co_return Result<>();
}

// What a server says that does not shake hands; nobody vouches for it.
io::Task<Result<>> Link::refused(Buffer begun) {
  wire::FrameReader reader(kRefusalBytesMax);
  for (;;) {
    for (Bytes rest = begun; !rest.empty();) {
      MutableBytes room = reader.prepare();
      size_t n = std::min(room.size(), rest.size());
      std::memcpy(room.data(), rest.data(), n);
      reader.commit(n);
      rest.remove_prefix(n);
    }
    HF_CO_TRY(payload, reader.next());
    if (payload) {
      HF_CO_TRY(reply, wire::parse_reply(*payload));
      if (reply.ok()) break;
      co_return std::unexpected(reply.failure());
    }
    begun.resize(512);
    HF_CO_TRY(n, co_await connection_->read_some(begun));
    begun.resize(n);
    if (n == 0) break;
  }
  co_return fail(Code::kAuth, "the server does not know our handshake");
}

}  // namespace holdfast::client
