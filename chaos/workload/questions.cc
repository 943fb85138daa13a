#include "chaos/workload/questions.h"

#include <fmt/core.h>

#include <algorithm>

#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

using msgpack::Writer;

// Values of the workloads are numbers of operations times 10,000, clients times 100, writes.
constexpr uint64_t kValuesMax = 2'500'000;

Question by_value(Rng& random) {
  uint64_t low = random.below(kValuesMax), high = low + random.below(kValuesMax);
  Question q{.text = fmt::format("{} <= v < {}", low, high)};
  Writer(q.query).map(1).string("v").map(2).string("$gte").uint(low).string("$lt").uint(high);
  q.selects = [=](std::string_view, const DocumentState& s) { return low <= s.value && s.value < high; };
  return q;
}

Question by_remainder(Rng& random) {
  auto remainder = static_cast<int64_t>(random.below(3));
  Question q{.text = fmt::format("n % 3 == {}", remainder)};
  Writer(q.query).map(1).string("n").map(1).string("$mod").array(2).integer(3).integer(remainder);
  q.selects = [=](std::string_view, const DocumentState& s) { return s.counter % 3 == remainder; };
  return q;
}

Question by_keys(Rng& random, const std::vector<std::string>& keys) {
  std::vector<std::string> some;
  for (const std::string& key : keys)
    if (random.below(2) == 0) some.push_back(key);
  bool in = random.below(2) == 0;
  Question q{.text = fmt::format("_id {} of {} keys", in ? "one" : "none", some.size())};
  Writer w(q.query);
  w.map(1).string("_id").map(1).string(in ? "$in" : "$nin").array(static_cast<uint32_t>(some.size()));
  for (const std::string& key : some) w.string(key);
  q.selects = [=](std::string_view key, const DocumentState&) { return (std::ranges::find(some, key) != some.end()) == in; };
  return q;
}

Question by_expression(Rng& random) {
  char letter = static_cast<char>((random.below(2) == 0 ? 'a' : 'A') + random.below(26));
  Question q{.text = fmt::format("_id begins with {}", letter)};
  Writer(q.query).map(1).string("_id").map(1).string("$regex").string(fmt::format("^{}", letter));
  q.selects = [=](std::string_view key, const DocumentState&) { return key.starts_with(letter); };
  return q;
}

Question simple(Rng& random, const std::vector<std::string>& keys) {
  switch (random.below(4)) {
    case 0: return by_remainder(random);
    case 1: return by_keys(random, keys);
    case 2: return by_expression(random);
    default: return by_value(random);
  }
}

}  // namespace

Question ask(Rng& random, const std::vector<std::string>& keys) {
  Question a = simple(random, keys);
  if (random.below(2) == 0) return a;
  Question b = simple(random, keys);
  constexpr const char* kNames[] = {"$and", "$or", "$nor"};
  uint64_t how = random.below(3);
  Question q{.text = fmt::format("{} of {}; {}", kNames[how], a.text, b.text)};
  Writer(q.query).map(1).string(kNames[how]).array(2).raw(a.query).raw(b.query);
  q.selects = [how, x = a.selects, y = b.selects](std::string_view key, const DocumentState& s) {
    bool in_x = x(key, s), in_y = y(key, s);
    return how == 0 ? in_x && in_y : how == 1 ? in_x || in_y : !in_x && !in_y;
  };
  return q;
}

}  // namespace holdfast::chaos
