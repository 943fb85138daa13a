// Our own handshake, both sides, with one message changed on its way: it succeeds exactly when nothing was changed. The
// original's likewise never lets in who has not the proof. And either takes any bytes in any stage.
//
// Input: kind (0 own, 1 the original's), which message, and what is xor-ed into it.
#include "io/wire/handshake.h"

#include "io/wire/psk_handshake.h"
#include "tests/fuzz/fuzz.h"

namespace holdfast::wire {
namespace {

Buffer bytes(size_t n, char first) {
  Buffer out;
  for (size_t i = 0; i < n; ++i) out += static_cast<char>(first + static_cast<char>(i));
  return out;
}

std::vector<Buffer> seeds() {
  std::vector<Buffer> out;
  for (char kind : {'\0', '\1'})
    for (char number = 1; number <= (kind ? 3 : 6); ++number)
      for (Buffer change : {Buffer(), Buffer(1, '\x01'), Buffer(40, '\0') + '\x80', Buffer(100, '\x5a')})
        out.push_back(Buffer({kind, number}) + change);
  return out;
}

/// Changes what of the message there is a byte for; whether that changed anything.
bool change(Buffer& message, Bytes mask) {
  bool changed = false;
  for (size_t i = 0; i < std::min(message.size(), mask.size()); ++i) {
    changed = changed || mask[i] != 0;
    message[i] = static_cast<char>(message[i] ^ mask[i]);
  }
  return changed;
}

/// Both sides to the end, or to an error. `hello` is the first message.
struct End {
  bool agreed = false;
  bool changed = false;
};
End shake(Handshake& client, Handshake& server, Buffer hello, int which, Bytes mask) {
  End out;
  Buffer message = std::move(hello);
  for (int number = 1;; ++number) {
    if (number == which) out.changed = change(message, mask);
    Handshake& receiver = number % 2 ? server : client;
    if (message.size() != receiver.wanted()) return out;
    auto answer = receiver.take(message);
    if (!answer) return out;
    message = std::move(*answer);
    if (message.empty() && client.wanted() == 0 && server.wanted() == 0) break;
    if (message.empty()) return out;
  }
  out.agreed = true;
  return out;
}

Verifier verifier() { return *make_verifier("secret", bytes(kSaltBytes, 50), kLeastCost); }

void fuzz_own(int which, Bytes mask) {
  static const Verifier known = verifier();  // the same in every run
  ServerHandshake server({.key = Key(bytes(32, 100)),
                          .ephemeral = Key(bytes(32, 3)),
                          .ciphers = 3,
                          .unit = aes_unit(),
                          .find = [](std::string_view name) {
                            return ServerHandshake::User{
                                .known = name == "ada", .verifier = known, .role = Role::kReadWrite};
                          }});
  ClientHandshake client({.user = "ada",
                          .ephemeral = Key(bytes(32, 1)),
                          .ciphers = 3,
                          .unit = aes_unit(),
                          .least = kLeastCost,
                          .most = kLeastCost,
                          .trust = [](const Public&) { return Result<>(); },
                          .derive = [](Bytes salt, PasswordCost cost) { return argon2id("secret", salt, cost); }});
  End end = shake(client, server, client.hello(), which, mask);
  FUZZ_CHECK(end.agreed == !end.changed);
  if (end.agreed) FUZZ_CHECK(equal(client.keys().send.key, server.keys().receive.key));
}

void fuzz_psk(int which, Bytes mask) {
  PskClient client(psk_of("ada", "secret"), bytes(32, 1), kPskAegisVersion, aes_unit());
  PskServer server(psk_of("ada", "secret"), bytes(32, 90), aes_unit());
  End end = shake(client, server, client.hello(), which, mask);
  // Mark and version of the first message are in no proof.
  bool proved_part_changed =
      end.changed && (which != 1 || std::ranges::any_of(mask.substr(std::min<size_t>(2, mask.size())).substr(0, 32),
                                                        [](char c) { return c != 0; }));
  if (proved_part_changed) FUZZ_CHECK(!end.agreed);
  if (!end.changed) FUZZ_CHECK(end.agreed);
}

}  // namespace

HOLDFAST_FUZZER(handshake, seeds) {
  if (input.size() < 2) return;
  int which = static_cast<uint8_t>(input[1]) % 8;
  Bytes mask = input.substr(2);
  (input[0] & 1) ? fuzz_psk(which, mask) : fuzz_own(which, mask);
}

}  // namespace holdfast::wire
