// Fuzzes the file of users. In half of the inputs the checksum is made to fit.
#include "server/users.h"

#include "io/base/crc32c.h"
#include "tests/fuzz/fuzz.h"

namespace holdfast::server {
namespace {

std::vector<Buffer> seeds() {
  std::vector<Buffer> out;
  Users users(wire::Key(Buffer(32, 'k')), wire::Key(Buffer(32, 's')));
  for (const char* name : {"", "ada", "bob"}) {
    if (*name) {
      wire::Verifier v = *wire::make_verifier(name, Buffer(wire::kSaltBytes, 'x'), wire::kLeastCost);
      FUZZ_CHECK(users.add(
          {.name = name, .role = *name == 'a' ? wire::Role::kReadOnly : wire::Role::kReadWrite, .verifier = v}));
    }
    for (char mend : {'\0', '\1'}) out.push_back(mend + users.encode());
  }
  return out;
}

}  // namespace

HOLDFAST_FUZZER(users, seeds) {
  if (input.empty()) return;
  Buffer bytes(input.substr(1));
  if ((input[0] & 1) && bytes.size() >= 16)
    store_le(bytes.data() + 12, crc32c(Bytes(bytes).substr(16), crc32c(Bytes(bytes).substr(0, 12))));
  auto users = Users::decode(bytes);
  if (!users) return;
  FUZZ_CHECK(users->encode() == bytes);
  FUZZ_CHECK(users->all().empty() || users->guarded());
  for (const User& u : users->all()) FUZZ_CHECK(users->find(u.name, {}).known);
}

}  // namespace holdfast::server
