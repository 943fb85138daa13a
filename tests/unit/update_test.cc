// Updates: each operator by cases, refusals, bytes that must stay, and agreement with a naive updater over generated
// documents.
#include "core/update.h"

#include <gtest/gtest.h>

#include "tests/support/tree.h"

namespace holdfast::core {
namespace {

using test::mp;
using test::show;
using test::Tree;
using test::TreeGenerator;

Result<Update::Applied> run(std::string_view update, std::string_view document, const DocumentLimits& limits = {}) {
  HF_TRY(u, Update::compile(mp(update), limits));
  return u.apply(mp(document));
}

struct Case {
  const char* update;
  const char* before;
  const char* after;
};

void expect_results(std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    auto r = run(c.update, c.before);
    ASSERT_TRUE(r) << c.update << " on " << c.before << ": " << r.error().text();
    EXPECT_EQ(show(r->document), show(mp(c.after))) << c.update << " on " << c.before;
    EXPECT_TRUE(r->document == mp(c.after)) << c.update << " on " << c.before;
    EXPECT_EQ(r->changed(), mp(c.before) != mp(c.after)) << c.update << " on " << c.before;
  }
}

struct Refusal {
  const char* update;
  const char* document;
  Code code;
  const char* text;
};

void expect_refusals(std::initializer_list<Refusal> refusals) {
  for (const Refusal& c : refusals) {
    auto r = run(c.update, c.document);
    ASSERT_FALSE(r) << c.update << " on " << c.document << " gave " << show(r->document);
    EXPECT_EQ(r.error().code, c.code) << c.update << ": " << r.error().text();
    EXPECT_TRUE(r.error().message.contains(c.text)) << c.update << ": " << r.error().text();
  }
}

TEST(UpdateSet, ReplacesInPlaceAndAppendsWhatIsNew) {
  expect_results({{"{'$set': {a: 2}}", "{_id: 1, a: 1, b: 3}", "{_id: 1, a: 2, b: 3}"},
                  {"{'$set': {c: 2}}", "{_id: 1, a: 1}", "{_id: 1, a: 1, c: 2}"},
                  {"{'$set': {a: {x: [1]}}}", "{_id: 1, a: 1, b: 3}", "{_id: 1, a: {x: [1]}, b: 3}"},
                  {"{'$set': {'a.b': 2}}", "{_id: 1, a: {c: 1, b: 1}}", "{_id: 1, a: {c: 1, b: 2}}"},
                  {"{'$set': {'a.b': 2}}", "{_id: 1, a: {c: 1}}", "{_id: 1, a: {c: 1, b: 2}}"},
                  {"{'$set': {'a.b.c': 2}}", "{_id: 1}", "{_id: 1, a: {b: {c: 2}}}"},
                  {"{'$set': {'a.0.c': 2}}", "{_id: 1}", "{_id: 1, a: {'0': {c: 2}}}"},
                  {"{'$set': {a: 5}}", "{_id: 1, a: 5}", "{_id: 1, a: 5}"},
                  {"{'$set': {a: i64(5)}}", "{_id: 1, a: 5}", "{_id: 1, a: i64(5)}"},
                  {"{'$set': {}}", "{_id: 1, a: 5}", "{_id: 1, a: 5}"},
                  {"{'$set': {a: {'$x': 1}}}", "{_id: 1}", "{_id: 1, a: {'$x': 1}}"}});
}

TEST(UpdateSet, AppendsNewFieldsInTheOrderOfTheirNames) {
  expect_results({{"{'$set': {c: 1, a: 2}, '$inc': {b: 3}}", "{_id: 1, z: 0}", "{_id: 1, z: 0, a: 2, b: i64(3), c: 1}"},
                  {"{'$set': {'10': 1, '9': 2, a: 3}}", "{_id: 1}", "{_id: 1, '9': 2, '10': 1, a: 3}"},
                  {"{'$set': {'x.b': 1, 'x.a': 2}}", "{_id: 1}", "{_id: 1, x: {a: 2, b: 1}}"}});
}

TEST(UpdateSet, SetsElementsAndPadsWithNull) {
  expect_results({{"{'$set': {'a.1': 9}}", "{_id: 1, a: [1, 2, 3]}", "{_id: 1, a: [1, 9, 3]}"},
                  {"{'$set': {'a.3': 9}}", "{_id: 1, a: [1, 2, 3]}", "{_id: 1, a: [1, 2, 3, 9]}"},
                  {"{'$set': {'a.5': 9, 'a.3': 8}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1, null, null, 8, null, 9]}"},
                  {"{'$set': {'a.0': 9}}", "{_id: 1, a: []}", "{_id: 1, a: [9]}"},
                  {"{'$set': {'a.1.b': 9}}", "{_id: 1, a: [1, {b: 2, c: 3}]}", "{_id: 1, a: [1, {b: 9, c: 3}]}"},
                  {"{'$set': {'a.2.b': 9}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1, null, {b: 9}]}"},
                  {"{'$set': {'a.0.1': 9}}", "{_id: 1, a: [[1, 2]]}", "{_id: 1, a: [[1, 9]]}"}});
}

TEST(UpdateSet, RefusesPathsThroughScalars) {
  expect_refusals({{"{'$set': {'a.b': 1}}", "{_id: 1, a: 5}", Code::kBadRequest, "a.b: a holds a number"},
                   {"{'$set': {'a.b.c': 1}}", "{_id: 1, a: {b: 'x'}}", Code::kBadRequest, "a.b.c: a.b holds a string"},
                   {"{'$set': {'a.b': 1}}", "{_id: 1, a: null}", Code::kBadRequest, "a holds null"},
                   {"{'$set': {'a.b': 1}}", "{_id: 1, a: [1]}", Code::kBadRequest, "a holds an array"},
                   {"{'$set': {'a.01': 1}}", "{_id: 1, a: [1]}", Code::kBadRequest, "a holds an array"},
                   {"{'$set': {'a.0.b': 1}}", "{_id: 1, a: [1]}", Code::kBadRequest, "a.0 holds a number"},
                   {"{'$set': {'a.b.c': 1}}", "{_id: 1, a: 5}", Code::kBadRequest, "a holds a number"},
                   {"{'$set': {'a.1500001': 1}}", "{_id: 1, a: []}", Code::kTooLarge, "a.1500001"}});
}

TEST(UpdateUnset, RemovesFieldsAndEmptiesElements) {
  expect_results({{"{'$unset': {a: ''}}", "{_id: 1, a: 1, b: 2}", "{_id: 1, b: 2}"},
                  {"{'$unset': {'a.b': 1}}", "{_id: 1, a: {b: 1, c: 2}}", "{_id: 1, a: {c: 2}}"},
                  {"{'$unset': {'a.b': 1}}", "{_id: 1, a: {b: 1}}", "{_id: 1, a: {}}"},
                  {"{'$unset': {x: 1, 'a.x': 1, 'a.b.c': 1, 'y.z': 1}}", "{_id: 1, a: {b: 5}}", "{_id: 1, a: {b: 5}}"},
                  {"{'$unset': {'a.1': 1}}", "{_id: 1, a: [1, 2, 3]}", "{_id: 1, a: [1, null, 3]}"},
                  {"{'$unset': {'a.1': 1}}", "{_id: 1, a: [1, null]}", "{_id: 1, a: [1, null]}"},
                  {"{'$unset': {'a.7': 1, 'a.x': 1}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1]}"},
                  {"{'$unset': {'a.0.b': 1}}", "{_id: 1, a: [{b: 1}]}", "{_id: 1, a: [{}]}"}});
}

TEST(UpdateInc, AddsAndWritesComputedWidths) {
  expect_results({{"{'$inc': {a: 1}}", "{_id: 1, a: 5}", "{_id: 1, a: i64(6)}"},
                  {"{'$inc': {a: -7}}", "{_id: 1, a: u16(5)}", "{_id: 1, a: i64(-2)}"},
                  {"{'$inc': {a: 1}}", "{_id: 1}", "{_id: 1, a: i64(1)}"},
                  {"{'$inc': {'a.b.c': 1.5}}", "{_id: 1}", "{_id: 1, a: {b: {c: 1.5}}}"},
                  {"{'$inc': {a: f32(1.5)}}", "{_id: 1}", "{_id: 1, a: 1.5}"},
                  {"{'$inc': {a: 0.5}}", "{_id: 1, a: 1}", "{_id: 1, a: 1.5}"},
                  {"{'$inc': {a: 1}}", "{_id: 1, a: f32(0.5)}", "{_id: 1, a: 1.5}"},
                  {"{'$inc': {a: 1.0}}", "{_id: 1, a: 1}", "{_id: 1, a: 2.0}"},
                  {"{'$inc': {'a.1': 1}}", "{_id: 1, a: [1, 2]}", "{_id: 1, a: [1, i64(3)]}"},
                  {"{'$inc': {'a.2': 1}}", "{_id: 1, a: [1]}", "{_id: 1, a: [1, null, i64(1)]}"}});
}

TEST(UpdateInc, LeavesTheBytesWhenNothingChanges) {
  expect_results({{"{'$inc': {a: 0}}", "{_id: 1, a: u16(5)}", "{_id: 1, a: u16(5)}"},
                  {"{'$inc': {a: 0}}", "{_id: 1, a: f32(1.5)}", "{_id: 1, a: f32(1.5)}"},
                  {"{'$inc': {a: 1}}", "{_id: 1, a: 1e300}", "{_id: 1, a: 1e300}"},
                  {"{'$inc': {a: 1}}", "{_id: 1, a: nan}", "{_id: 1, a: nan}"},
                  {"{'$inc': {a: 0.0}}", "{_id: 1, a: 5}", "{_id: 1, a: 5.0}"}});
}

TEST(UpdateInc, IsExactAtTheEndsOfIntegers) {
  expect_results(
      {{"{'$inc': {a: 1}}", "{_id: 1, a: 9223372036854775806}", "{_id: 1, a: i64(9223372036854775807)}"},
       {"{'$inc': {a: -1}}", "{_id: 1, a: i64(-9223372036854775807)}", "{_id: 1, a: i64(-9223372036854775808)}"},
       {"{'$inc': {a: 1}}", "{_id: 1, a: 9223372036854775808}", "{_id: 1, a: u64(9223372036854775809)}"},
       {"{'$inc': {a: -1}}", "{_id: 1, a: 9223372036854775808}", "{_id: 1, a: i64(9223372036854775807)}"},
       {"{'$inc': {a: u64(18446744073709551615)}}", "{_id: 1}", "{_id: 1, a: u64(18446744073709551615)}"},
       {"{'$inc': {a: u64(18446744073709551615)}}", "{_id: 1, a: i64(-9223372036854775808)}",
        "{_id: 1, a: i64(9223372036854775807)}"}});
  expect_refusals(
      {{"{'$inc': {a: 1}}", "{_id: 1, a: 9223372036854775807}", Code::kBadRequest, "overflow"},
       {"{'$inc': {a: -1}}", "{_id: 1, a: i64(-9223372036854775808)}", Code::kBadRequest, "path a would overflow"},
       {"{'$inc': {'b.c': 1}}", "{_id: 1, b: {c: 18446744073709551615}}", Code::kBadRequest, "path b.c"}});
}

TEST(UpdateInc, RefusesWhatIsNoNumber) {
  expect_refusals({{"{'$inc': {a: 1}}", "{_id: 1, a: 'x'}", Code::kBadRequest, "a: the field holds a string"},
                   {"{'$inc': {a: 1}}", "{_id: 1, a: null}", Code::kBadRequest, "holds null"},
                   {"{'$inc': {a: '1'}}", "{_id: 1, a: 1}", Code::kBadRequest, "must be a number, not a string"}});
}

TEST(Update, NeverChangesTheId) {
  expect_results({{"{'$set': {_id: 1.0, a: 2}}", "{a: 1, _id: 1}", "{a: 2, _id: 1}"},
                  {"{'$set': {_id: 'x'}}", "{_id: 'x'}", "{_id: 'x'}"}});
  expect_refusals({{"{'$set': {_id: 2}}", "{_id: 1}", Code::kBadRequest, "_id never changes"},
                   {"{'$unset': {_id: 1}}", "{_id: 1}", Code::kBadRequest, "_id never changes"},
                   {"{'$inc': {_id: 0}}", "{_id: 1}", Code::kBadRequest, "_id never changes"},
                   {"{'$set': {'_id.a': 2}}", "{_id: 1}", Code::kBadRequest, "_id never changes"}});
}

TEST(Update, AppliesSeveralOperatorsAtOnce) {
  expect_results({{"{'$set': {'a.x': 1}, '$unset': {'a.y': 1, b: 1}, '$inc': {'a.z': 2}}",
                   "{_id: 1, b: 2, a: {y: 1, z: 1}}", "{_id: 1, a: {z: i64(3), x: 1}}"}});
}

TEST(Update, RefusesConflictingPaths) {
  expect_refusals(
      {{"{'$set': {a: 1, 'a.b': 2}}", "{_id: 1}", Code::kBadRequest, "a and a.b conflict"},
       {"{'$set': {'a.b.c': 1}, '$unset': {'a.b': 2}}", "{_id: 1}", Code::kBadRequest, "a.b and a.b.c conflict"},
       {"{'$set': {a: 1}, '$inc': {a: 2}}", "{_id: 1}", Code::kBadRequest, "a and a conflict"},
       {"{'$set': {_id: 1}, '$unset': {_id: 1}}", "{_id: 1}", Code::kBadRequest, "_id"}});
  EXPECT_TRUE(run("{'$set': {'a.b': 1, 'ab': 2, 'a.bc': 3, 'a-b': 4}}", "{_id: 1}"));
}

TEST(Update, RefusesWhatItDoesNotKnow) {
  expect_refusals(
      {{"{'$push': {a: 1}}", "{_id: 1}", Code::kUnsupported, "$push in an update is not supported (at path a)"},
       {"{'$set': {a: 1}, '$nonsense': 5}", "{_id: 1}", Code::kUnsupported, "$nonsense"},
       {"{a: 1}", "{_id: 1}", Code::kUnsupported, "replaces the document"},
       {"{}", "{_id: 1}", Code::kUnsupported, "replaces the document"},
       {"{'$set': {a: 1}, b: 2}", "{_id: 1}", Code::kBadRequest, "mixes operators"},
       {"[]", "{_id: 1}", Code::kBadRequest, "must be a document"},
       {"{'$set': 5}", "{_id: 1}", Code::kBadRequest, "$set takes a document"},
       {"{'$set': {'a.$': 1}}", "{_id: 1}", Code::kUnsupported, "positional"},
       {"{'$set': {'a.$[].b': 1}}", "{_id: 1}", Code::kUnsupported, "positional"},
       {"{'$set': {'a.$x': 1}}", "{_id: 1}", Code::kBadRequest, "a.$x"},
       {"{'$set': {'': 1}}", "{_id: 1}", Code::kBadRequest, "empty"},
       {"{'$set': {'a..b': 1}}", "{_id: 1}", Code::kBadRequest, "empty"},
       {"{'$unset': {'a.': 1}}", "{_id: 1}", Code::kBadRequest, "empty"},
       {"{'$set': {a: 1, a: 2}}", "{_id: 1}", Code::kBadRequest, "twice"}});
}

TEST(Update, ResultObeysTheLimits) {
  DocumentLimits limits{.bytes = 40};
  EXPECT_TRUE(run("{'$set': {a: '0123456789'}}", "{_id: 1}", limits));
  EXPECT_EQ(run("{'$set': {a: '0123456789012345678901234567890123456789'}}", "{_id: 1}", limits).error().code,
            Code::kTooLarge);
  EXPECT_EQ(run("{'$set': {'a.100': 1}}", "{_id: 1, a: []}", limits).error().code, Code::kTooLarge);
  // A deep path and a deep value that together pass the depth.
  std::string path = "a", value = "1";
  for (int i = 0; i < 49; ++i) path += ".a";
  for (int i = 0; i < 50; ++i) value = "[" + value + "]";
  auto deepest = run("{'$set': {'" + path + "': " + value + "}}", "{_id: 1}");
  ASSERT_TRUE(deepest) << deepest.error().text();
  EXPECT_TRUE(check_document(deepest->document));
  EXPECT_EQ(run("{'$set': {'" + path + "': [" + value + "]}}", "{_id: 1}").error().code, Code::kTooLarge);
}

TEST(Update, RefusesMorePathsThanItKeepsTreesOf) {
  std::string path;
  for (int i = 0; i < 95; ++i) path += ".part";
  std::string update = "{'$set': {";
  for (int i = 0; i < 600; ++i) update += "'f" + std::to_string(i) + path + "': 1, ";
  auto u = Update::compile(mp(update + "}}"));
  ASSERT_FALSE(u);
  EXPECT_EQ(u.error().code, Code::kTooLarge);
}

TEST(Update, PaddingOfManyArraysStaysWithinTheLimit) {
  std::string update = "{'$set': {", document = "{_id: 1, ";
  for (int i = 0; i < 30; ++i) {
    update += "'f" + std::to_string(i) + ".1500000': 1, ";
    document += "f" + std::to_string(i) + ": [], ";
  }
  EXPECT_EQ(run(update + "}}", document + "}").error().code, Code::kTooLarge);
}

TEST(Update, KeepsTheBytesOfWhatItDoesNotTouch) {
  // {_id: 1, a: {b: 1}, c: 5} with heads and strings wider than they need be.
  Buffer before(
      "\xde\x00\x03\xd9\x03_id\xcd\x00\x01\xda\x00\x01"
      "a\xdf\x00\x00\x00\x01\xa1"
      "b\x01\xa1"
      "c\xd3\x00\x00\x00\x00\x00\x00\x00\x05",
      34);
  ASSERT_TRUE(check_document(before));
  Update set = std::move(*Update::compile(mp("{'$set': {'a.b': 2}}")));
  Buffer after = before;
  after[before.find("b\x01") + 1] = 2;
  EXPECT_EQ(set.apply(before)->document, after);
  Update same = std::move(*Update::compile(mp("{'$set': {'a.b': 1}, '$inc': {c: 0}, '$unset': {d: 1}}")));
  auto unchanged = same.apply(before);
  EXPECT_EQ(unchanged->document, before);
  EXPECT_FALSE(unchanged->changed());
}

TEST(Update, ManyPathsAreFoundToo) {
  std::string update = "{'$set': {", before = "{_id: 1, ", after = "{_id: 1, ";
  for (int i = 0; i < 40; ++i) {
    int n = i * 7 % 40;
    update += "f" + std::to_string(n) + ": " + std::to_string(n) + ", ";
    before += "f" + std::to_string(i) + ": 0, ";
    after += "f" + std::to_string(i) + ": " + std::to_string(i) + ", ";
  }
  auto r = run(update + "}}", before + "}");
  ASSERT_TRUE(r);
  EXPECT_EQ(r->document, mp(after + "}"));
}

TEST(Update, OwnsWhatItNeeds) {
  auto text = std::make_unique<Buffer>(mp("{'$set': {'a.b': 'a string longer than the small ones'}}"));
  Update first = std::move(*Update::compile(*text));
  std::ranges::fill(*text, 'x');
  text.reset();
  Update u = std::move(first);
  EXPECT_EQ(u.apply(mp("{_id: 1}"))->document, mp("{_id: 1, a: {b: 'a string longer than the small ones'}}"));
}

TEST(Update, ReportsBrokenDocumentsAsCorrupt) {
  Update u = std::move(*Update::compile(mp("{'$set': {'a.1': 2}, '$inc': {b: 1}, '$unset': {c: 1}}")));
  Buffer document = mp("{x: [1, {y: 2}], a: [1, 2, 3], c: {d: 1}, b: 5}");
  ASSERT_TRUE(u.apply(document));
  for (size_t n = 0; n < document.size(); ++n) {
    auto r = u.apply(Bytes(document).substr(0, n));
    ASSERT_FALSE(r) << n;
    EXPECT_EQ(r.error().code, Code::kCorrupt) << n;
  }
  for (size_t i = 0; i < document.size(); ++i)
    for (int bits = 1; bits < 256; ++bits) {
      Buffer broken = document;
      broken[i] = static_cast<char>(broken[i] ^ bits);
      (void)u.apply(broken);
    }
}

// --- the naive updater, from the manual: one path after the other on a tree ---

struct Action {
  std::string op;
  std::vector<std::string> path;
  Tree operand;
};

bool is_position(const std::string& s) {
  return !s.empty() && std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; });
}

bool before(const Action& a, const Action& b) {
  return std::ranges::lexicographical_compare(a.path, b.path, [](const std::string& x, const std::string& y) {
    if (is_position(x) && is_position(y)) return std::stoi(x) < std::stoi(y);
    if (is_position(x) || is_position(y)) return is_position(x);
    return x < y;
  });
}

Tree computed(msgpack::Kind kind, long double number) {
  Buffer b;
  msgpack::Writer w(b);
  if (kind == msgpack::Kind::kFloat)
    w.float64(static_cast<double>(number));
  else
    w.int64(static_cast<int64_t>(number));
  return test::decode(b);
}

Tree added(const Tree& old, const Tree& by) {
  using msgpack::Kind;
  bool floating = old.kind == Kind::kFloat || by.kind == Kind::kFloat;
  Tree sum = floating ? computed(Kind::kFloat, static_cast<double>(old.number) + static_cast<double>(by.number))
                      : computed(Kind::kInt, old.number + by.number);
  bool same_type = floating == (old.kind == Kind::kFloat);
  return same_type && naive_compare(sum, old) == 0 ? old : sum;
}

// False: refused.
bool naive_apply(Tree& t, const Action& a, size_t depth) {
  bool last = depth + 1 == a.path.size(), unset = a.op == "$unset";
  const std::string& name = a.path[depth];
  Tree* child = nullptr;
  if (t.is_map()) {
    child = t.field(name);
  } else if (t.is_array() && is_position(name)) {
    size_t i = std::stoul(name);
    if (i < t.items.size()) child = &t.items[i];
  } else {
    return unset;
  }
  if (child == nullptr) {
    if (unset) return true;
    Tree fresh = test::parse("{}");
    if (last && a.op == "$set") fresh = a.operand;
    if (last && a.op == "$inc") fresh = computed(a.operand.kind, a.operand.number);
    if (t.is_map()) {
      t.fields.emplace_back(name, fresh);
      child = &t.fields.back().second;
    } else {
      t.items.resize(std::stoul(name) + 1);
      child = &(t.items.back() = fresh);
    }
    return last || naive_apply(*child, a, depth + 1);
  }
  if (!last) return naive_apply(*child, a, depth + 1);
  if (a.op == "$set") *child = a.operand;
  if (a.op == "$inc") {
    if (!child->is_number()) return false;
    *child = added(*child, a.operand);
  }
  if (unset) {
    if (t.is_array())
      *child = Tree();
    else
      std::erase_if(t.fields, [&](auto& f) { return f.first == name; });
  }
  return true;
}

bool conflict(const Action& a, const Action& b) {
  size_t n = std::min(a.path.size(), b.path.size());
  return std::equal(a.path.begin(), a.path.begin() + static_cast<ptrdiff_t>(n), b.path.begin());
}

struct GeneratedUpdate {
  Tree update;
  std::vector<Action> actions;
  bool conflicts = false;
};

GeneratedUpdate generate_update(TreeGenerator& g, const Tree& document) {
  GeneratedUpdate out{test::parse("{'$unset': {}, '$inc': {}, '$set': {}}"), {}, false};
  for (uint64_t n = g.rng.between(1, 4); n > 0; --n) {
    Action a{.op = std::array{"$set", "$unset", "$inc"}[g.rng.below(3)], .path = {}, .operand = {}};
    std::string path = g.path();
    a.path = test::split(path);
    // Small numbers alone: overflow has its own cases.
    if (a.op == "$inc")
      a.operand = test::parse(std::array{"1", "i8(-2)", "0", "0.5", "f32(1.5)"}[g.rng.below(5)]);
    else
      a.operand = g.rng.chance(1, 3) ? g.rewidth(g.part(document)) : g.value(2);
    Tree* paths = out.update.field(a.op);
    if (paths->field(path)) continue;
    for (const Action& other : out.actions) out.conflicts |= conflict(a, other);
    paths->fields.emplace_back(path, a.operand);
    out.actions.push_back(a);
  }
  std::ranges::sort(out.actions, before);
  return out;
}

bool has_large_number(const Tree& t) {
  if (t.is_number() && t.kind != msgpack::Kind::kFloat) return t.number > 1e18L || t.number < -1e18L;
  return std::ranges::any_of(t.items, has_large_number) ||
         std::ranges::any_of(t.fields, [](auto& f) { return has_large_number(f.second); });
}

TEST(Update, AgreesWithTheNaiveUpdaterOnGeneratedCases) {
  int changed = 0, unchanged = 0, refused = 0, conflicts = 0;
  for (uint64_t seed = 0; seed < 50'000; ++seed) {
    TreeGenerator g{Rng(seed, "updates")};
    Tree document = g.map(4);
    if (has_large_number(document)) continue;
    GeneratedUpdate u = generate_update(g, document);
    std::string what = "seed " + std::to_string(seed) + ": " + show(u.update) + " on " + show(document);
    auto compiled = Update::compile(encode(u.update));
    ASSERT_EQ(bool(compiled), !u.conflicts) << what;
    if (!compiled) {
      ++conflicts;
      continue;
    }
    auto applied = compiled->apply(encode(document));
    Tree expected = document;
    bool fine = std::ranges::all_of(u.actions, [&](const Action& a) { return naive_apply(expected, a, 0); });
    ASSERT_EQ(bool(applied), fine) << what << (applied ? "" : ": " + applied.error().text());
    if (!fine) {
      ++refused;
      continue;
    }
    ASSERT_EQ(show(applied->document), show(expected)) << what;
    ASSERT_TRUE(applied->document == encode(expected)) << what;
    ASSERT_EQ(applied->changed(), encode(document) != encode(expected)) << what;
    ++(applied->changed() ? changed : unchanged);
  }
  EXPECT_GT(changed, 5'000);
  EXPECT_GT(unchanged, 500);
  EXPECT_GT(refused, 1'000);
  EXPECT_GT(conflicts, 1'000);
}

}  // namespace
}  // namespace holdfast::core
