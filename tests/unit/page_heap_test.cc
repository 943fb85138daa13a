// The first documents behind a position in an order, against sorting all of them.
#include "core/page_heap.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/cursor_token.h"
#include "core/id_key.h"
#include "io/base/random.h"
#include "tests/support/tree.h"

namespace holdfast::core {
namespace {

using test::mp;

Find sorted_by(std::string_view sort) {
  return {.query = *Query::compile(mp("{}")), .sort = *Sort::compile(mp(sort)), .projection = {}};
}

std::vector<Buffer> documents(Rng& random, size_t n) {
  std::vector<Buffer> out;
  for (size_t i = 0; i < n; ++i)
    out.push_back(mp("{_id: " + std::to_string(i) + ", a: " + std::to_string(random.below(5)) + ", t: '" + std::string(random.below(60), 'x') + "'}"));
  for (size_t i = n; i > 1; --i) std::swap(out[i - 1], out[random.below(i)]);
  return out;
}

/// All pages of a stream of these documents, by position.
std::vector<std::vector<Buffer>> pages(const Find& find, const std::vector<Buffer>& all, uint64_t most, uint64_t bytes) {
  std::vector<std::vector<Buffer>> out;
  Buffer sort_key, id_key;
  for (bool more = true; more && out.size() < 1000;) {
    PageHeap heap(find, sort_key, id_key, most, bytes);
    for (const Buffer& d : all) EXPECT_TRUE(heap.add(d));
    auto found = heap.take();
    more = heap.left_out();
    std::vector<Buffer>& page = out.emplace_back();
    for (auto& f : found) page.push_back(f.body);
    if (found.empty()) break;
    sort_key = found.back().sort_key;
    id_key = found.back().key;
  }
  return out;
}

TEST(PageHeap, PagesTogetherAreTheWholeOrder) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Rng random(seed, "page heap");
    Find find = sorted_by(seed % 2 == 0 ? "{a: 1}" : "{a: -1}");
    std::vector<Buffer> all = documents(random, random.below(40));
    std::vector<Buffer> expected = all;
    std::ranges::sort(expected, [&](const Buffer& x, const Buffer& y) {
      return find.sort.compare(find.sort.key(x), *id_key(*msgpack::lookup(x, "_id")), find.sort.key(y), *id_key(*msgpack::lookup(y, "_id"))) < 0;
    });
    uint64_t most = random.between(1, 10), bytes = random.between(1, 600);
    std::vector<Buffer> got;
    for (const auto& page : pages(find, all, most, bytes)) {
      EXPECT_LE(page.size(), most);
      EXPECT_TRUE(!page.empty() || got.size() == expected.size());
      got.insert(got.end(), page.begin(), page.end());
    }
    EXPECT_EQ(got, expected) << "seed " << seed << ", " << most << " documents, " << bytes << " bytes";
  }
}

TEST(PageHeap, APageDoesNotDependOnTheOrderInWhichDocumentsCome) {
  Rng random(1, "page heap");
  Find find = sorted_by("{a: 1}");
  std::vector<Buffer> all = documents(random, 50);
  auto once = pages(find, all, 7, 300);
  std::ranges::reverse(all);
  EXPECT_EQ(pages(find, all, 7, 300), once);
}

TEST(PageHeap, SaysWhetherSomethingWasLeftOut) {
  Find find = sorted_by("{a: 1}");
  for (size_t n : {2, 3}) {
    PageHeap heap(find, {}, {}, 2, 1000);
    for (size_t i = 0; i < n; ++i) ASSERT_TRUE(heap.add(mp("{_id: " + std::to_string(i) + ", a: 1}")));
    EXPECT_EQ(heap.left_out(), n == 3);
    EXPECT_EQ(heap.take().size(), 2u);
  }
}

TEST(PageHeap, KeepsNoMoreThanAPage) {
  Find find = sorted_by("{a: -1}");
  find.projection = *Projection::compile(mp("{_id: 1}"));
  PageHeap heap(find, {}, {}, UINT64_MAX, 1000);
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(heap.add(mp("{_id: " + std::to_string(i) + ", a: " + std::to_string(i) + ", t: 'something long that is not answered'}")));
  auto found = heap.take();
  EXPECT_LT(found.size(), 1000 / PageHeap::kOverheadBytes + 2);
  EXPECT_EQ(found.front().body, mp("{_id: 9999}"));
}

TEST(PageHeap, RefusesSortKeysThatNoTokenCanCarry) {
  Find find = sorted_by("{a: 1}");
  PageHeap heap(find, {}, {}, 10, 1000);
  EXPECT_TRUE(heap.add(mp("{_id: 1, a: '" + std::string(60'000, 'x') + "'}")));
  auto refused = heap.add(mp("{_id: 2, a: '" + std::string(kMaxSortKeyBytes, 'x') + "'}"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
}

TEST(Sort, TellsKeysFromOtherBytes) {
  Sort sort = *Sort::compile(mp("{a: 1, b: -1}"));
  Buffer key = sort.key(mp("{_id: 1, a: [1, {x: 2}], b: 'y'}"));
  EXPECT_TRUE(sort.is_key(key));
  EXPECT_TRUE(sort.is_key(mp("1") + mp("{a: 1}")));
  EXPECT_FALSE(sort.is_key(key + "\x01"));
  EXPECT_FALSE(sort.is_key(mp("1")));
  EXPECT_FALSE(sort.is_key(""));
  EXPECT_FALSE(sort.is_key(mp("1") + "\x92\x01")) << "cut short";
  EXPECT_FALSE(sort.is_key(mp("1") + Buffer(300, '\x91') + "\x01")) << "nested too deep to compare";
}

}  // namespace
}  // namespace holdfast::core
