// SealedClient: what RawClient is, after either handshake; a test may also lay hands on the frames.
#pragma once

#include "io/wire/handshake.h"
#include "tests/server/server_fixture.h"
#include "tests/support/hex.h"

namespace holdfast::test {

inline constexpr wire::PasswordCost kCheap = wire::kLeastCost;

class SealedClient {
 public:
  explicit SealedClient(std::unique_ptr<RawClient> raw) : raw_(std::move(raw)) {}

  /// The whole handshake; its end.
  io::Task<Result<>> log_in(std::string user, std::string password, int ephemeral = 1) {
    wire::ClientHandshake handshake(
        {.user = user,
         .ephemeral = wire::Key(counting(32, ephemeral)),
         .ciphers = 3,
         .unit = wire::aes_unit(),
         .least = kCheap,
         .most = kCheap,
         .trust = [](const wire::Public&) { return Result<>(); },
         .derive = [&](Bytes salt, wire::PasswordCost cost) { return wire::argon2id(password, salt, cost); }});
    Buffer hello = handshake.hello();
    co_return co_await shake(handshake, std::move(hello));
  }
  io::Task<Result<>> log_in_as_the_original(std::string user, std::string password,
                                            char version = wire::kPskAegisVersion) {
    wire::PskClient handshake(wire::psk_of(user, password), counting(32, 5), version, wire::aes_unit());
    Buffer hello = handshake.hello();
    co_return co_await shake(handshake, std::move(hello));
  }

  /// A request, sealed; `auth` is added when there is one.
  Buffer sealed(const Sent& s, Bytes auth = "") {
    Buffer plain = frame(s);
    if (!auth.empty()) {
      Buffer payload = plain.substr(wire::kFrameHeaderSize);
      payload[0] = static_cast<char>(payload[0] + 1);  // one pair more
      msgpack::Writer(payload).string("auth").string(auth);
      plain = framed(payload);
    }
    sealer_->seal(plain, 0);
    return plain;
  }
  io::Task<void> send(Buffer bytes) { return raw_->send(std::move(bytes)); }
  io::Task<Got> next() {
    while (true) {
      auto payload = reader_.next();
      if (payload && *payload) {
        auto message = opener_->open(reader_.payload());
        EXPECT_TRUE(message) << "what the server seals opens";
        auto r = message ? wire::parse_reply(*message) : Result<wire::Reply>(fail(Code::kInternal, ""));
        EXPECT_TRUE(r);
        if (!r) co_return Got{.ended = true};
        co_return Got{.id = r->id,
                      .result = Buffer(r->result),
                      .error = std::string(r->error),
                      .code = r->code,
                      .lsn = r->lsn,
                      .durable = r->durable_lsn};
      }
      auto n = co_await raw_->connection().read_some(reader_.prepare());
      if (!n || *n == 0) co_return Got{.ended = true};
      reader_.commit(*n);
    }
  }
  io::Task<Got> ask(Sent s, Buffer auth = "") {
    co_await send(sealed(s, auth));
    co_return co_await next();
  }
  RawClient& raw() { return *raw_; }

 private:
  io::Task<Result<>> shake(wire::Handshake& handshake, Buffer message) {
    Buffer begun;
    co_await raw_->send(std::move(message));
    while (size_t wanted = handshake.wanted()) {
      while (begun.size() < wanted) {
        std::array<char, 100> room;
        auto n = co_await raw_->connection().read_some(room);
        if (!n || *n == 0) co_return fail(Code::kClosed, "the server closed");
        begun.append(room.data(), *n);
      }
      HF_CO_TRY(answer, handshake.take(Bytes(begun).substr(0, wanted)));
      begun.erase(0, wanted);
      co_await raw_->send(std::move(answer));
    }
    wire::FrameKeys keys = handshake.keys();
    sealer_.emplace(keys.style, keys.send);
    opener_.emplace(keys.style, keys.receive);
    co_return Result<>();
  }

  std::unique_ptr<RawClient> raw_;
  std::optional<wire::FrameSealer> sealer_;
  std::optional<wire::FrameOpener> opener_;
  wire::FrameReader reader_{wire::kMaxReplySize};
};

}  // namespace holdfast::test
