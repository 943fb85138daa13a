// Sorts and projections: cases from MongoDB's manual, refusals, and agreement with naive ones over generated documents.
#include <gtest/gtest.h>

#include "core/id_key.h"
#include "core/projection.h"
#include "core/sort.h"
#include "tests/support/tree.h"

namespace holdfast::core {
namespace {

using msgpack::Kind;
using test::mp;
using test::show;
using test::Tree;
using test::TreeGenerator;

// ---- Projections ----

std::string projected(std::string_view projection, std::string_view document) {
  auto p = Projection::compile(mp(projection));
  if (!p) return p.error().text();
  return show(p->apply(mp(document)));
}

TEST(Projection, IncludesWhatIsNamedAndTheId) {
  EXPECT_EQ(projected("{b: 1}", "{_id: 5, a: 1, b: 2, c: 3}"), show(mp("{_id: 5, b: 2}")));
  EXPECT_EQ(projected("{b: true, a: 1.0}", "{a: 1, b: 2, _id: 5}"), show(mp("{a: 1, b: 2, _id: 5}")));
  EXPECT_EQ(projected("{b: 1, _id: 0}", "{_id: 5, a: 1, b: 2}"), show(mp("{b: 2}")));
  EXPECT_EQ(projected("{_id: 1}", "{_id: 5, a: 1}"), show(mp("{_id: 5}")));
  EXPECT_EQ(projected("{x: 1}", "{_id: 5, a: 1}"), show(mp("{_id: 5}")));
}

TEST(Projection, ExcludesWhatIsNamed) {
  EXPECT_EQ(projected("{b: 0}", "{_id: 5, a: 1, b: 2, c: 3}"), show(mp("{_id: 5, a: 1, c: 3}")));
  EXPECT_EQ(projected("{_id: 0}", "{_id: 5, a: 1}"), show(mp("{a: 1}")));
  EXPECT_EQ(projected("{_id: 1, a: 0}", "{_id: 5, a: 1, b: 2}"), show(mp("{_id: 5, b: 2}")));
  EXPECT_EQ(projected("{a: false, _id: 0}", "{_id: 5, a: 1, b: 2}"), show(mp("{b: 2}")));
}

TEST(Projection, NothingIsTheWholeDocument) {
  EXPECT_EQ(projected("{}", "{_id: 5, a: 1}"), show(mp("{_id: 5, a: 1}")));
  EXPECT_TRUE(Projection::compile(mp("null"))->whole());
  EXPECT_TRUE(Projection::compile(mp("{}"))->whole());
  EXPECT_TRUE(Projection::of_fields(mp("[]"))->whole());
  EXPECT_FALSE(Projection::compile(mp("{_id: 0}"))->whole());
  EXPECT_FALSE(Projection::compile(mp("{_id: 1}"))->whole());
}

TEST(Projection, GoesThroughDocumentsAndArrays) {
  EXPECT_EQ(projected("{'a.b': 1}", "{_id: 1, a: {b: 1, c: 2}, d: 3}"), show(mp("{_id: 1, a: {b: 1}}")));
  EXPECT_EQ(projected("{'a.b': 0}", "{_id: 1, a: {b: 1, c: 2}, d: 3}"), show(mp("{_id: 1, a: {c: 2}, d: 3}")));
  EXPECT_EQ(projected("{'a.b': 1}", "{_id: 1, a: [{b: 1, c: 2}, 5, [{b: 3, c: 4}], {c: 1}]}"), show(mp("{_id: 1, a: [{b: 1}, [{b: 3}], {}]}")));
  EXPECT_EQ(projected("{'a.b': 0}", "{_id: 1, a: [{b: 1, c: 2}, 5, [{b: 3}]]}"), show(mp("{_id: 1, a: [{c: 2}, 5, [{}]]}")));
  EXPECT_EQ(projected("{'a.b': 1}", "{_id: 1, a: 5}"), show(mp("{_id: 1}")));
  EXPECT_EQ(projected("{'a.b': 0}", "{_id: 1, a: 5}"), show(mp("{_id: 1, a: 5}")));
}

TEST(Projection, SlicesArrays) {
  const char* document = "{_id: 1, a: [1, 2, 3, 4], b: 5}";
  EXPECT_EQ(projected("{a: {'$slice': 2}}", document), show(mp("{_id: 1, a: [1, 2], b: 5}")));
  EXPECT_EQ(projected("{a: {'$slice': -3}}", document), show(mp("{_id: 1, a: [2, 3, 4], b: 5}")));
  EXPECT_EQ(projected("{a: {'$slice': [1, 2]}}", document), show(mp("{_id: 1, a: [2, 3], b: 5}")));
  EXPECT_EQ(projected("{a: {'$slice': [-2, 1]}}", document), show(mp("{_id: 1, a: [3], b: 5}")));
  EXPECT_EQ(projected("{a: {'$slice': [9, 1]}}", document), show(mp("{_id: 1, a: [], b: 5}")));
  EXPECT_EQ(projected("{a: {'$slice': 0}}", document), show(mp("{_id: 1, a: [], b: 5}")));
  EXPECT_EQ(projected("{b: {'$slice': 1}}", document), show(mp(document)));
  EXPECT_EQ(projected("{a: {'$slice': 1}, b: 1}", document), show(mp("{_id: 1, a: [1], b: 5}")));
  EXPECT_EQ(projected("{a: {'$slice': 1}, b: 0}", document), show(mp("{_id: 1, a: [1]}")));
  EXPECT_EQ(projected("{'a.x': {'$slice': 1}}", "{_id: 1, a: [{x: [1, 2], y: 3}]}"), show(mp("{_id: 1, a: [{x: [1], y: 3}]}")));
}

TEST(Projection, OfFieldsKeepsTheId) {
  auto p = Projection::of_fields(mp("['b', 'c.d']"));
  ASSERT_TRUE(p);
  EXPECT_EQ(show(p->apply(mp("{_id: 1, a: 2, b: 3, c: {d: 4, e: 5}}"))), show(mp("{_id: 1, b: 3, c: {d: 4}}")));
}

TEST(Projection, RefusesWhatMakesNoSense) {
  struct Refusal {
    const char* projection;
    Code code;
    const char* text;
  };
  for (const Refusal& r : {Refusal{"{a: 1, b: 0}", Code::kBadRequest, "either includes"},
                           {"{a: 1, 'a.b': 1}", Code::kBadRequest, "a.b"},
                           {"{'a.b': 1, a: 1}", Code::kBadRequest, "at a"},
                           {"{a: 'x'}", Code::kUnsupported, "at a"},
                           {"{a: {'$elemMatch': {b: 1}}}", Code::kUnsupported, "$elemMatch"},
                           {"{a: {}}", Code::kUnsupported, "at a"},
                           {"{'a.$': 1}", Code::kUnsupported, "a.$"},
                           {"{'a.': 1}", Code::kBadRequest, "a."},
                           {"{a: {'$slice': 'x'}}", Code::kBadRequest, "$slice"},
                           {"{a: {'$slice': [1, 0]}}", Code::kBadRequest, "$slice"},
                           {"{a: {'$slice': [1]}}", Code::kBadRequest, "$slice"},
                           {"[]", Code::kBadRequest, "document"}}) {
    auto p = Projection::compile(mp(r.projection));
    ASSERT_FALSE(p) << r.projection;
    EXPECT_EQ(p.error().code, r.code) << r.projection;
    EXPECT_TRUE(p.error().message.contains(r.text)) << p.error().message;
  }
  EXPECT_FALSE(Projection::of_fields(mp("[1]")));
}

// The naive one: what a path in `paths` names, by the manual.
std::optional<Tree> naive(const Tree& value, const std::vector<std::string>& paths, const std::string& prefix, bool includes) {
  if (value.is_array()) {
    Tree out = test::parse("[]");
    for (const Tree& item : value.items)
      if (auto kept = naive(item, paths, prefix, includes)) out.items.push_back(*kept);
    return out;
  }
  if (!value.is_map()) return includes ? std::nullopt : std::optional(value);
  Tree out = test::parse("{}");
  for (const auto& [name, field] : value.fields) {
    std::string path = prefix.empty() ? name : prefix + "." + name;
    bool named = std::ranges::find(paths, path) != paths.end();
    bool inside = std::ranges::any_of(paths, [&](const std::string& p) { return p.starts_with(path + "."); });
    if (name == "_id" && prefix.empty())
      out.fields.push_back({name, field});
    else if (named ? includes : !inside && !includes)
      out.fields.push_back({name, field});
    else if (inside && !named)
      if (auto kept = naive(field, paths, path, includes)) out.fields.push_back({name, *kept});
  }
  return out;
}

TEST(Projection, AgreesWithTheNaiveOne) {
  int smaller = 0;
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    TreeGenerator g{Rng(seed, "projection")};
    Tree document = g.map(4);
    bool includes = g.rng.chance(1, 2);
    std::vector<std::string> paths;
    Tree projection = test::parse("{}");
    for (uint64_t n = g.rng.between(1, 3); n > 0; --n) {
      std::string path = g.chance_path(document).first;
      bool plain = !path.empty() && !path.starts_with('.') && !path.ends_with('.') && !path.contains("..") && !path.contains('$');
      bool apart = std::ranges::none_of(paths, [&](const std::string& p) { return p == path || p.starts_with(path + ".") || path.starts_with(p + "."); });
      if (!plain || !apart || path == "_id" || path.starts_with("_id.")) continue;
      paths.push_back(path);
      projection.fields.push_back({path, test::parse(includes ? "1" : "0")});
    }
    if (paths.empty()) continue;
    auto p = Projection::compile(encode(projection));
    ASSERT_TRUE(p) << show(projection) << ": " << p.error().text();
    Buffer bytes = encode(document);
    std::string expected = show(*naive(document, paths, "", includes));
    ASSERT_EQ(show(p->apply(bytes)), expected) << "seed " << seed << ": " << show(projection) << " on " << show(document);
    smaller += p->apply(bytes).size() < bytes.size();
    for (size_t cut = 0; cut < bytes.size(); cut += 3) (void)p->apply(Bytes(bytes).substr(0, cut));
  }
  EXPECT_GT(smaller, 2000);
}

// ---- Sorts ----

std::string sorted(std::string_view sort, std::vector<const char*> documents) {
  auto s = Sort::compile(mp(sort));
  if (!s) return s.error().text();
  struct Item {
    std::string text;
    Buffer key, id;
  };
  std::vector<Item> items;
  for (const char* d : documents) {
    Buffer bytes = mp(d);
    items.push_back({d, s->key(bytes), *id_key(*msgpack::lookup(bytes, "_id"))});
  }
  std::ranges::sort(items, [&](const Item& a, const Item& b) { return s->compare(a.key, a.id, b.key, b.id) < 0; });
  std::string out;
  for (const Item& i : items) out += std::to_string(test::decode(*msgpack::lookup(mp(i.text), "_id")).number).substr(0, 1);
  return out;
}

TEST(Sort, GoesByTypeThenValueThenId) {
  std::vector<const char*> documents = {"{_id: 1, a: 'x'}", "{_id: 2, a: 5}", "{_id: 3}", "{_id: 4, a: true}", "{_id: 5, a: {b: 1}}", "{_id: 6, a: -1.5}", "{_id: 7, a: null}"};
  EXPECT_EQ(sorted("{a: 1}", documents), "3762154");
  EXPECT_EQ(sorted("{a: -1}", documents), "4512637");
  EXPECT_EQ(sorted("{}", documents), "1234567");
  EXPECT_EQ(sorted("{_id: -1}", documents), "7654321");
}

TEST(Sort, SeveralPathsInTheirOrder) {
  std::vector<const char*> documents = {"{_id: 1, a: 1, b: 1}", "{_id: 2, a: 1, b: 2}", "{_id: 3, a: 0, b: 9}", "{_id: 4, a: 1, b: 2}"};
  EXPECT_EQ(sorted("{a: 1, b: -1}", documents), "3241");
  EXPECT_EQ(sorted("{b: -1, a: 1}", documents), "3241");
  EXPECT_EQ(sorted("[{a: -1}, {b: 1}]", documents), "1243");
}

TEST(Sort, OfAnArrayTheExtremeCounts) {
  std::vector<const char*> documents = {"{_id: 1, a: [3, 7]}", "{_id: 2, a: 5}", "{_id: 3, a: []}", "{_id: 4, a: [9, 1]}", "{_id: 5, a: [[0]]}"};
  EXPECT_EQ(sorted("{a: 1}", documents), "34125");
  EXPECT_EQ(sorted("{a: -1}", documents), "54123");
  std::vector<const char*> inner = {"{_id: 1, a: [{b: 3}, {b: 8}]}", "{_id: 2, a: {b: 5}}", "{_id: 3, a: [{c: 1}]}", "{_id: 4, a: [1]}"};
  EXPECT_EQ(sorted("{'a.b': 1}", inner), "3412");
  EXPECT_EQ(sorted("{'a.b': -1}", inner), "1234");
  EXPECT_EQ(sorted("{'a.0': 1}", {"{_id: 1, a: [2, 0]}", "{_id: 2, a: [1, 5]}"}), "21");
}

TEST(Sort, RefusesWhatMakesNoSense) {
  for (const char* text : {"{a: 2}", "{a: 0}", "{a: 'x'}", "{a: {'$meta': 'x'}}", "[{a: 1, b: 1}]", "[1]", "5", "{'': 1}", "{'$a': 1}"}) {
    auto s = Sort::compile(mp(text));
    EXPECT_FALSE(s) << text;
  }
  std::string many = "{";
  for (int i = 0; i < 33; ++i) many += "a" + std::to_string(i) + ": 1,";
  EXPECT_EQ(Sort::compile(mp(many + "}")).error().code, Code::kTooLarge);
}

}  // namespace
}  // namespace holdfast::core
