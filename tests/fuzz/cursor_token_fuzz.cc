// Tokens of cursors: any bytes are one or are refused; one is what it says, byte for byte; and what its sort key is compared with must be a key.
#include "core/cursor_token.h"

#include "core/sort.h"
#include "io/base/hash.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/tree.h"

namespace holdfast {
namespace {

using core::CursorToken;

std::vector<Buffer> seeds() {
  CursorToken in_shards{.incarnation = 1, .cursor = 2, .skipped = 3, .answered = 4, .core = 1, .shard_index = 2, .ordinal = Ordinal(9)};
  CursorToken in_order{.incarnation = 1, .cursor = 2, .sorted = true, .id_key = Buffer("\x20" "a"), .sort_key = test::mp("1") + test::mp("{a: [1, 'x']}")};
  return {in_shards.encode(), in_order.encode(), CursorToken{.sorted = true}.encode(), test::mp("{a: {b: 1, c: [2, 3]}, d: 4}")};
}

void check_token(Bytes input) {
  auto token = CursorToken::parse(input);
  if (!token) return FUZZ_CHECK(token.error().code == Code::kBadRequest);
  FUZZ_CHECK(token->encode() == input);
  auto sort = core::Sort::compile(test::mp("{a: 1, b: -1}"));
  if (!sort->is_key(token->sort_key)) return;
  FUZZ_CHECK(sort->compare(token->sort_key, token->id_key, token->sort_key, token->id_key) == 0);
}

}  // namespace

HOLDFAST_FUZZER(cursor_token, seeds) {
  check_token(input);
  // Behind the checksum, where changed bytes seldom get by themselves.
  constexpr size_t kChecksum = 8;
  if (input.size() >= kChecksum) {
    Buffer sealed(input.substr(0, input.size() - kChecksum));
    append_le(sealed, xxh3_64(sealed));
    check_token(sealed);
  }
  Bytes values[] = {input, {}, input};
  FUZZ_CHECK(core::fingerprint_of(values) == core::fingerprint_of(values));
}

}  // namespace holdfast
