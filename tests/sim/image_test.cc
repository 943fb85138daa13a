#include "sim/image.h"

#include <gtest/gtest.h>

namespace holdfast::sim {
namespace {

std::string all_of(const Image& image) {
  std::string out(image.size(), 'x');
  image.read(0, out);
  return out;
}

TEST(Image, ReadsWhatWasWrittenAcrossPagesAndZerosElsewhere) {
  Image image;
  image.write(4090, "across the edge");
  EXPECT_EQ(image.size(), 4105u);
  EXPECT_EQ(all_of(image), std::string(4090, '\0') + "across the edge");
  EXPECT_EQ(image.pages(), 2u);
  image.write(3 * kPageBytes, "x");
  EXPECT_EQ(image.pages(), 3u) << "the hole takes no room";
  EXPECT_EQ(image.new_pages(0, 5 * kPageBytes), 2u);
}

TEST(Image, CopiesShareUntilOneWrites) {
  Image a;
  a.write(0, std::string(10'000, 'a'));
  Image b = a;
  b.write(5'000, "b");
  EXPECT_EQ(all_of(a), std::string(10'000, 'a'));
  EXPECT_EQ(all_of(b), std::string(5'000, 'a') + "b" + std::string(4'999, 'a'));
  a.resize(4'500);
  a.resize(10'000);
  EXPECT_EQ(all_of(a), std::string(4'500, 'a') + std::string(5'500, '\0')) << "what was cut never comes back";
  EXPECT_EQ(all_of(b).back(), 'a');
}

TEST(Image, ZerosTakeRoomButNoMemory) {
  Image image;
  image.write(100, "data");
  image.zero(50, 10 * kPageBytes);
  EXPECT_EQ(all_of(image), std::string(50 + 10 * kPageBytes, '\0'));
  EXPECT_EQ(image.pages(), 11u);
  EXPECT_TRUE(image.is_blank(5));
  EXPECT_EQ(image.new_pages(0, 11 * kPageBytes), 0u);
  image.resize(0);
  EXPECT_EQ(image.pages(), 0u);
}

TEST(Image, DigestTellsContentAndSizeButNotHowTheyCameAbout) {
  Image a, b;
  a.write(0, std::string(9'000, 'a'));
  b.write(4'096, std::string(4'904, 'a'));
  EXPECT_NE(a.digest(), b.digest());
  b.write(0, std::string(4'096, 'a'));
  EXPECT_EQ(a.digest(), b.digest());
  b.resize(9'001);
  EXPECT_NE(a.digest(), b.digest());
  Image hole, zeros;
  hole.resize(kPageBytes);
  zeros.zero(0, kPageBytes);
  EXPECT_EQ(hole.digest(), zeros.digest());
}

}  // namespace
}  // namespace holdfast::sim
