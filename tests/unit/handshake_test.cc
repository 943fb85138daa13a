#include "io/wire/handshake.h"

#include <gtest/gtest.h>

#include "tests/support/hex.h"

namespace holdfast::wire {
namespace {

using test::counting;
using test::from_hex;
using test::to_hex;

constexpr uint8_t kBoth = 3;
constexpr uint8_t kChaChaAlone = 2;

const Key kServerKey(counting(32, 100));

ServerHandshake::User user_of(std::string_view name) {
  if (name == "ada")
    return {.known = true, .verifier = *make_verifier("secret", counting(16, 50), kLeastCost), .role = Role::kReadOnly};
  return {
      .known = false, .verifier = *make_verifier("nobody's", counting(16, 60), kLeastCost), .role = Role::kReadOnly};
}

struct Choices {
  std::string user = "ada";
  std::string password = "secret";
  uint8_t client_ciphers = kBoth;
  uint8_t server_ciphers = kBoth;
  PasswordCost least = kLeastCost;
  PasswordCost most = {.passes = 10, .memory_kib = 1024};
  Result<> trusted = {};
};

struct Pair {
  Choices choices;
  Public shown{};
  ClientHandshake client;
  ServerHandshake server;

  explicit Pair(Choices c = {})
      : choices(std::move(c)),
        client({.user = choices.user,
                .ephemeral = Key(counting(32, 1)),
                .ciphers = choices.client_ciphers,
                .unit = aes_unit(),
                .least = choices.least,
                .most = choices.most,
                .trust =
                    [this](const Public& key) {
                      shown = key;
                      return choices.trusted;
                    },
                .derive = [this](Bytes salt, PasswordCost cost) { return argon2id(choices.password, salt, cost); }}),
        server({.key = kServerKey,
                .ephemeral = Key(counting(32, 200)),
                .ciphers = choices.server_ciphers,
                .unit = AesUnit::kNone,
                .find = user_of}) {}

  /// All six messages; `tamper` may change each on its way.
  Result<> shake(const std::function<void(int number, Buffer& message)>& tamper = [](int, Buffer&) {}) {
    Buffer message = client.hello();
    for (int number = 1;; ++number) {
      tamper(number, message);
      Handshake& receiver = number % 2 ? static_cast<Handshake&>(server) : client;
      if (message.size() != receiver.wanted()) return fail(Code::kInternal, "another size than wanted");
      auto answer = receiver.take(message);
      if (!answer) return fail(answer);
      message = std::move(*answer);
      if (message.empty()) return {};
    }
  }
};

void expect_same_keys(Pair& p, Cipher cipher) {
  for (auto [a, b] : {std::pair(p.client.keys().send, p.server.keys().receive),
                      std::pair(p.client.keys().receive, p.server.keys().send)}) {
    EXPECT_TRUE(equal(a.key, b.key));
    EXPECT_EQ(a.cipher, cipher);
    EXPECT_EQ(b.cipher, cipher);
  }
  EXPECT_FALSE(equal(p.client.keys().send.key, p.client.keys().receive.key));
}

TEST(Handshake, AgreesOnKeysWithWhoKnowsThePassword) {
  Pair p;
  auto done = p.shake();
  ASSERT_TRUE(done) << done.error().text();
  expect_same_keys(p, Cipher::kAegis128L);
  EXPECT_EQ(p.client.role(), Role::kReadOnly);
  EXPECT_EQ(p.server.user(), "ada");
  EXPECT_EQ(p.shown, x25519_public(kServerKey));
  EXPECT_FALSE(p.server.refused());
}

// The vector of server/PROTOCOL.md.
TEST(Handshake, GivesTheWrittenVector) {
  Pair p;
  std::vector<std::string> said;
  ASSERT_TRUE(p.shake([&](int, Buffer& message) { said.push_back(to_hex(message)); }));
  ASSERT_EQ(said.size(), 6u);
  EXPECT_EQ(said[0], "af01030007a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c");
  EXPECT_EQ(said[1],
            "af0101004d5bab89b0733d9d8dcecf04f321c90b761b7765a6bdb2bddbfad3e7abdf1f66"
            "7d9c24316539825c1896e57f28197746793ce60cbee3ad47da9d07b85fa55e2a28416ee5de6a86f5ce4b4144d1480da7");
  EXPECT_EQ(said[2],
            "8998eef9c2c6490a1057b47371c0342ccfcc475a039f1cfe4cd450359a646f9eec5ad043a3646582e63e926173210490"
            "5691b0aa81a0cddc18facb874eefc2e26ad2935a13d27f0725f608f86c6bcf66");
  EXPECT_EQ(said[3],
            "ea449a14529d3423503943de155f1d9be9b73a82d7cfc375c1d1164766ac49ccbb93dc033e3da3826acc433931a0953e");
  EXPECT_EQ(said[4], "9f52b57d8489cc7a209c785de273eb06");
  EXPECT_EQ(said[5],
            "21f5d7b3191f66dd5c38601b26062e91fd84c9052bf64a57573bb526544f2b3099a38dcd1564a6c82419bd8bd8779e18");
  EXPECT_EQ(to_hex(p.client.keys().send.key), "26d1efb7c25b0217d92d9b02db526c4aea3c74abd9c8063fd5dfb3b2605473bf");
  EXPECT_EQ(to_hex(p.client.keys().receive.key), "6a03bc76cb2fe8cbb3fe817846e72df84ce0c25cccea5dfaf2725479dcc95e3c");
}

TEST(Handshake, ChoosesTheCipherThatBothHave) {
  for (auto [client, server, cipher] : {std::tuple(kBoth, kChaChaAlone, Cipher::kChaCha20Poly1305),
                                        std::tuple(kChaChaAlone, kBoth, Cipher::kChaCha20Poly1305),
                                        std::tuple(uint8_t{1}, kBoth, Cipher::kAegis128L)}) {
    Pair p({.client_ciphers = client, .server_ciphers = server});
    ASSERT_TRUE(p.shake());
    expect_same_keys(p, cipher);
  }
  Pair none({.client_ciphers = 1, .server_ciphers = kChaChaAlone});
  EXPECT_EQ(none.shake().error().code, Code::kUnsupported);
}

TEST(Handshake, TellsNothingOfWhetherNameOrPasswordIsWrong) {
  std::string first;
  for (Choices wrong :
       {Choices{.password = "Secret"}, Choices{.user = "bob"}, Choices{.user = "bob", .password = "nobody's"}}) {
    Pair p(wrong);
    auto done = p.shake();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().text(), "auth: wrong user name or password");
    EXPECT_TRUE(p.server.refused());
    EXPECT_EQ(p.server.wanted(), 0u);
  }
}

TEST(Handshake, EndsWhenTheServersKeyIsNotTrusted) {
  Pair p({.trusted = fail(Code::kAuth, "another key than recorded")});
  int messages = 0;
  auto done = p.shake([&](int, Buffer&) { ++messages; });
  EXPECT_EQ(done.error().message, "another key than recorded");
  EXPECT_EQ(messages, 2) << "the name was not said";
}

TEST(Handshake, DoesNoMoreAndNoLessWorkForThePasswordThanTheClientAllows) {
  for (Choices c :
       {Choices{.least = {.passes = 2, .memory_kib = 8}}, Choices{.least = {.passes = 1, .memory_kib = 9}}}) {
    Pair p(c);
    auto done = p.shake();
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().message.contains("outside of what this client does")) << done.error().message;
  }
  Pair heavy({.least = {.passes = 1, .memory_kib = 1}, .most = {.passes = 1, .memory_kib = 7}});
  EXPECT_FALSE(heavy.shake());
}

TEST(Handshake, FailsWhenAnyBitOfAnyMessageIsChanged) {
  for (int number = 1; number <= 6; ++number) {
    size_t bits = 8;
    for (size_t bit = 0; bit < bits; ++bit) {
      Pair p;
      auto done = p.shake([&](int n, Buffer& message) {
        if (n != number) return;
        bits = message.size() * 8;
        message[bit / 8] = static_cast<char>(message[bit / 8] ^ 1 << bit % 8);
      });
      // The highest bit of a point means nothing, and the first mark is the driver's; the transcript has them all the
      // same.
      EXPECT_FALSE(done) << "message " << number << ", bit " << bit;
    }
  }
}

TEST(Handshake, RefusesPointsThatTellNothing) {
  Pair p;
  auto done = p.shake([](int n, Buffer& message) {
    if (n == 1) std::fill(message.begin() + 4, message.end(), '\0');
  });
  EXPECT_FALSE(done);
  Pair q;
  done = q.shake([](int n, Buffer& message) {
    if (n == 2) std::fill(message.begin() + 4, message.begin() + 36, '\0');
  });
  EXPECT_FALSE(done);
}

// Somebody in the middle with keys of his own, who takes out the better cipher.
TEST(Handshake, NoticesADowngrade) {
  Pair p;
  EXPECT_FALSE(p.shake([](int n, Buffer& message) {
    if (n == 1) message[2] = kChaChaAlone;
  }));
}

TEST(Handshake, MessagesOfAnotherHandshakeAreWorthNothing) {
  std::vector<Buffer> old;
  {
    Pair p;
    ASSERT_TRUE(p.shake([&](int, Buffer& message) { old.push_back(message); }));
  }
  // The server draws another key: what a recorded client said before does not get a replay any further than its hello.
  ServerHandshake server(
      {.key = kServerKey, .ephemeral = Key(counting(32, 9)), .ciphers = kBoth, .unit = aes_unit(), .find = user_of});
  EXPECT_TRUE(server.take(old[0]));
  EXPECT_FALSE(server.take(old[2]));
}

TEST(UserNames, AreShortAndPlain) {
  EXPECT_TRUE(check_user_name("ada.l-1@x_Y"));
  EXPECT_TRUE(check_user_name(std::string(63, 'a')));
  for (std::string bad : {std::string(), std::string(64, 'a'), std::string("a b"), std::string("a:b"),
                          std::string("\xc3\xa4"), std::string("a\0", 2)})
    EXPECT_FALSE(check_user_name(bad)) << bad;
}

}  // namespace
}  // namespace holdfast::wire
