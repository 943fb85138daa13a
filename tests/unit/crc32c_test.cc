// CRC32C: the vectors of RFC 3720 appendix B.4, and the fast version against the table at every length and alignment
// that matters.
#include "io/base/crc32c.h"

#include <gtest/gtest.h>

#include "io/base/random.h"

namespace holdfast {
namespace {

Buffer random_bytes(size_t n) {
  Rng rng(1, "crc32c_test");
  Buffer b(n, '\0');
  for (char& c : b) c = static_cast<char>(rng.next());
  return b;
}

TEST(Crc32c, MatchesThePublishedVectors) {
  Buffer ascending, descending;
  for (int i = 0; i < 32; ++i) {
    ascending.push_back(static_cast<char>(i));
    descending.push_back(static_cast<char>(31 - i));
  }
  for (auto crc : {crc32c, crc32c_portable}) {
    EXPECT_EQ(crc("", 0), 0u);
    EXPECT_EQ(crc("123456789", 0), 0xe3069283u);
    EXPECT_EQ(crc(Buffer(32, '\0'), 0), 0x8a9136aau);
    EXPECT_EQ(crc(Buffer(32, '\xff'), 0), 0x62a8ab43u);
    EXPECT_EQ(crc(ascending, 0), 0x46dd794eu);
    EXPECT_EQ(crc(descending, 0), 0x113fdb5cu);
  }
}

TEST(Crc32c, FastVersionEqualsTheTableAtEveryLength) {
  Buffer data = random_bytes(10'000);
  for (size_t n = 0; n <= 1'200; ++n) ASSERT_EQ(crc32c(data.substr(0, n)), crc32c_portable(data.substr(0, n))) << n;
  for (size_t n = 4'000; n <= data.size(); n += 7)
    ASSERT_EQ(crc32c(data.substr(0, n)), crc32c_portable(data.substr(0, n))) << n;
}

TEST(Crc32c, DoesNotDependOnAlignment) {
  Buffer data = random_bytes(5'000);
  for (size_t offset = 0; offset < 16; ++offset) {
    Bytes part = Bytes(data).substr(offset, 4'800);
    EXPECT_EQ(crc32c(part, 7), crc32c_portable(part, 7)) << offset;
  }
}

TEST(Crc32c, ContinuesFromAnEarlierResult) {
  Buffer data = random_bytes(5'000);
  for (size_t cut : {0, 1, 7, 8, 96, 287, 288, 289, 4'079, 4'080, 4'081, 4'096, 5'000}) {
    Bytes a = Bytes(data).substr(0, cut);
    Bytes b = Bytes(data).substr(cut);
    EXPECT_EQ(crc32c(b, crc32c(a)), crc32c(data)) << cut;
  }
}

TEST(Crc32c, EverySingleBitCounts) {
  Buffer data = random_bytes(512);
  uint32_t sound = crc32c(data);
  for (size_t bit = 0; bit < data.size() * 8; ++bit) {
    data[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    ASSERT_NE(crc32c(data), sound) << bit;
    data[bit / 8] ^= static_cast<char>(1 << (bit % 8));
  }
}

}  // namespace
}  // namespace holdfast
