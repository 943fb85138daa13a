// Compiling queries: a document of operators into conjunctions.
#include <fmt/core.h>

#include <algorithm>

#include "core/document.h"
#include "core/operand.h"
#include "core/query_form.h"
#include "core/value_order.h"

namespace holdfast::core {

using msgpack::Cursor;
using msgpack::Kind;
using msgpack::Value;
using Operator = Query::Test::Operator;

Query::Query() : root_(std::make_unique<Conjunction>()) {}
Query::Query(Query&&) noexcept = default;
Query& Query::operator=(Query&&) noexcept = default;
Query::~Query() = default;

namespace {

bool is_logical(Bytes name) { return name == "$and" || name == "$or" || name == "$nor"; }

constexpr std::string_view kOperators[] = {"$eq",  "$ne",     "$gt",   "$gte",   "$lt",      "$lte", "$in",   "$nin",
                                           "$all", "$exists", "$type", "$regex", "$options", "$mod", "$size", "$elemMatch", "$not"};

struct TypeName {
  std::string_view name;
  uint64_t number;  // 0: none
  uint32_t bits;
};
constexpr TypeName kTypes[] = {
    {"double", 1, type_bit::kDouble},  {"string", 2, type_bit::kString}, {"object", 3, type_bit::kObject}, {"array", 4, type_bit::kArray},
    {"binData", 5, type_bit::kBinary}, {"bool", 8, type_bit::kBool},     {"date", 9, type_bit::kDate},     {"null", 10, type_bit::kNull},
    {"int", 16, type_bit::kInt},       {"long", 18, type_bit::kLong},    {"number", 0, type_bit::kDouble | type_bit::kInt | type_bit::kLong}};

}  // namespace

class QueryCompiler {
 public:
  Result<Query> compile(Bytes text) {
    HF_TRY(owned, own(text));
    HF_CHECK_OK(conjunction(owned, *query_.root_));
    arrange(*query_.root_);
    query_.conditions_ = conditions_;
    return std::move(query_);
  }

  Result<Query> compile_element(Bytes text) {
    HF_TRY(owned, own(text));
    HF_TRY(test, element_match(owned));
    arrange(test);
    query_.element_ = std::make_unique<Query::Test>(std::move(test));
    return std::move(query_);
  }

 private:
  using Tests = std::vector<Query::Test>;
  using Conjunction = Query::Conjunction;

  /// The text once checked, as the query keeps it.
  Result<Bytes> own(Bytes text) {
    if (text.size() > Query::kMaxBytes)
      return fail(Code::kTooLarge,
                  fmt::format("the query has {} bytes, at most {} are allowed", text.size(), Query::kMaxBytes));
    HF_CHECK_OK(msgpack::validate(text, {.max_depth = msgpack::kMaxDepth}));
    query_.text_.assign(text.begin(), text.end());
    return Bytes(query_.text_.data(), query_.text_.size());
  }

  // ---- Messages. `place_` are the names on the way to what is being compiled.

  class At {
   public:
    At(QueryCompiler& c, std::string name) : c_(c) { c_.place_.push_back(std::move(name)); }
    ~At() { c_.place_.pop_back(); }

   private:
    QueryCompiler& c_;
  };
  std::string place() const {
    if (place_.empty()) return "at the top level of the query";
    std::string out = "at ";
    for (size_t i = 0; i < place_.size(); ++i) out += (i == 0 ? "" : ".") + place_[i];
    return Path::shown(out);
  }
  std::unexpected<Error> refuse(std::string_view why) const { return fail(Code::kBadRequest, fmt::format("{}, {}", why, place())); }
  std::unexpected<Error> unsupported(Bytes name) const {
    return fail(Code::kUnsupported, fmt::format("{} is not supported {}", Path::shown(name), place()));
  }

  // ---- Whole documents of conditions

  Result<> conjunction(Bytes map, Conjunction& out) {
    Cursor at(map);
    Value head;
    at.next(head);
    if (head.kind == Kind::kNil && place_.empty()) return {};
    if (head.kind != Kind::kMap) return refuse(place_.empty() ? "a query must be a document" : "there must be a query, a document");
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes key;
      at.string(key);
      Bytes value = at.raw();
      if (is_logical(key))
        HF_CHECK_OK(logical(key, value, out));
      else if (is_operator(key))
        return unsupported(key);
      else
        HF_CHECK_OK(field(key, value, out));
    }
    return {};
  }

  Result<> logical(Bytes name, Bytes list, Conjunction& out) {
    At here(*this, std::string(name));
    Cursor at(list);
    Value head;
    at.next(head);
    if (head.kind != Kind::kArray || head.count == 0) return refuse("there must be an array of one or more queries");
    if (head.count > Query::kMaxConditions) return too_many();
    Conjunction::Branch branch{.negated = name == "$nor", .order = next_order_++};
    for (uint32_t i = 0; i < head.count; ++i) {
      At element(*this, std::to_string(i));
      Bytes query = at.raw();
      if (head_of(query).kind != Kind::kMap) return refuse("there must be a query, a document");
      if (name == "$and") {
        HF_CHECK_OK(conjunction(query, out));
        continue;
      }
      // An empty query holds of everything, but is one.
      HF_CHECK_OK(count_one());
      HF_CHECK_OK(conjunction(query, branch.alternatives.emplace_back()));
    }
    if (!branch.alternatives.empty()) out.branches.push_back(std::move(branch));
    return {};
  }

  // {path: value} or {path: {$operator: operand, …}}; as in MongoDB the first key decides which.
  Result<> field(Bytes text, Bytes value, Conjunction& out) {
    At here(*this, Path::shown(text));
    Tests tests;
    bool operates = is_operator(first_key(value));
    if (&out == query_.root_.get() && text == "_id") note_id(operates ? msgpack::lookup(value, "$eq") : value);
    if (operates) {
      HF_CHECK_OK(operators(value, tests));
    } else {
      HF_TRY(test, compare_with(Operator::kEqual, value));
      tests.push_back(std::move(test));
    }
    for (Query::Test& test : tests) {
      HF_CHECK_OK(count_one());
      HF_TRY(path, Path::parse(text));
      if (path.positions() > Path::kMaxPositions)
        return fail(Code::kTooLarge, fmt::format("a path in a query holds at most {} array positions, there are more {}", Path::kMaxPositions, place()));
      out.conditions.push_back({std::move(path), std::move(test), next_order_++});
    }
    return {};
  }

  // The first `_id` that is asked for by equality. The same equalities make an upsert's document (modification.h).
  void note_id(std::optional<Bytes> equal) {
    if (!equal || query_.id_key_) return;
    if (auto key = id_key(*equal)) query_.id_key_ = std::move(*key);
  }

  Result<> count_one() { return ++conditions_ > Query::kMaxConditions ? too_many() : Result<>(); }
  static std::unexpected<Error> too_many() {
    return fail(Code::kTooLarge, fmt::format("a query has at most {} conditions and alternatives", Query::kMaxConditions));
  }

  // ---- Operators on one path

  /// {$operator: operand, …}: each becomes a test, or several, all of which must hold.
  Result<> operators(Bytes map, Tests& out) {
    Cursor at(map);
    Value head;
    at.next(head);
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes name;
      at.string(name);
      Bytes operand = at.raw();
      if (!is_operator(name))
        return refuse(fmt::format("the query mixes operators with the field {}: to compare with a document that holds operators' names use $eq",
                                  Path::shown(name)));
      if (std::ranges::find(kOperators, name) == std::end(kOperators)) return unsupported(name);
      At here(*this, std::string(name));
      HF_CHECK_OK(one_operator(name, operand, map, out));
    }
    return {};
  }

  Result<> one_operator(Bytes name, Bytes operand, Bytes all, Tests& out) {
    if (name == "$all") return all_of(operand, out);
    if (name == "$options") return msgpack::lookup(all, "$regex") ? Result<>() : refuse("$options goes with $regex only");
    HF_TRY(test, one_test(name, operand, all));
    out.push_back(std::move(test));
    return {};
  }

  Result<Query::Test> one_test(Bytes name, Bytes operand, Bytes all) {
    if (name == "$eq") return compare_with(Operator::kEqual, operand);
    if (name == "$ne") return negation(compare_with(Operator::kEqual, operand));
    if (name == "$gt") return compare_with(Operator::kGreater, operand);
    if (name == "$gte") return compare_with(Operator::kGreaterOrEqual, operand);
    if (name == "$lt") return compare_with(Operator::kLess, operand);
    if (name == "$lte") return compare_with(Operator::kLessOrEqual, operand);
    if (name == "$in") return in(operand);
    if (name == "$nin") return negation(in(operand));
    if (name == "$exists") return exists(operand);
    if (name == "$type") return type(operand);
    if (name == "$regex") return regex(operand, msgpack::lookup(all, "$options"));
    if (name == "$mod") return mod(operand);
    if (name == "$size") return size(operand);
    if (name == "$elemMatch") return element_match(operand);
    if (name == "$not") return negated_operators(operand);
    return unsupported(name);
  }

  static Query::Test make(Operator op) { return {.op = op, .more = std::make_unique<Query::Test::More>()}; }
  static Result<Query::Test> negation(Result<Query::Test> test) {
    if (test) test->negated = !test->negated;
    return test;
  }

  Result<Query::Test> compare_with(Operator op, Bytes operand) {
    Query::Test test{.op = op, .behind_operand = Cursor(operand)};
    test.behind_operand.next(test.operand);
    if (op != Operator::kEqual && test.operand.is_container()) {
      test.more = std::make_unique<Query::Test::More>();
      test.more->values.push_back(operand);
    }
    return test;
  }

  Result<Query::Test> in(Bytes operand) {
    Cursor at(operand);
    Value head;
    at.next(head);
    if (head.kind != Kind::kArray) return refuse("there must be an array of values");
    Query::Test test = make(Operator::kIn);
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes value = at.raw();
      if (is_operator(first_key(value))) return refuse("values cannot be operators");
      test.more->values.push_back(value);
      test.more->has_null |= head_of(value).kind == Kind::kNil;
    }
    std::ranges::sort(test.more->values, [](Bytes a, Bytes b) { return compare(a, b) < 0; });
    return test;
  }

  Result<Query::Test> exists(Bytes operand) {
    Value v = head_of(operand);
    bool no = v.kind == Kind::kNil || (v.kind == Kind::kBool && !v.boolean) || (v.kind == Kind::kUint && v.u == 0) || (v.kind == Kind::kFloat && v.f == 0);
    Query::Test test{.op = Operator::kExists};
    test.negated = no;
    return test;
  }

  Result<uint32_t> type_bits(Bytes operand) {
    Value v = head_of(operand);
    std::optional<int64_t> number = whole_number(v);
    for (const TypeName& t : kTypes)
      if (v.kind == Kind::kString ? v.bytes == t.name : number && *number > 0 && static_cast<uint64_t>(*number) == t.number) return t.bits;
    return refuse("there must be a type's name or number, of: double, string, object, array, binData, bool, date, null, int, long, number");
  }

  Result<Query::Test> type(Bytes operand) {
    Query::Test test = make(Operator::kType);
    Cursor at(operand);
    Value head = head_of(operand);
    if (head.kind != Kind::kArray) {
      HF_TRY(bits, type_bits(operand));
      test.more->types = bits;
      return test;
    }
    if (head.count == 0) return refuse("there must be a type, or an array of one or more");
    at.next(head);
    for (uint32_t i = 0; i < head.count; ++i) {
      HF_TRY(bits, type_bits(at.raw()));
      test.more->types |= bits;
    }
    return test;
  }

  Result<Query::Test> regex(Bytes operand, std::optional<Bytes> options) {
    Value pattern = head_of(operand), letters = options ? head_of(*options) : Value();
    if (pattern.kind != Kind::kString) return refuse("there must be a string, the expression");
    if (options && letters.kind != Kind::kString) return refuse("$options must be a string");
    Result<Regex> compiled = Regex::compile(pattern.bytes, letters.bytes);
    if (!compiled) return fail(compiled.error().code, fmt::format("{}, {}", compiled.error().message, place()));
    Query::Test test = make(Operator::kRegex);
    test.more->regex = std::move(*compiled);
    return test;
  }

  Result<Query::Test> mod(Bytes operand) {
    Cursor at(operand);
    Value head, divisor, remainder;
    at.next(head);
    bool two = head.kind == Kind::kArray && head.count == 2 && at.next(divisor) && !divisor.is_container() && at.next(remainder);
    std::optional<int64_t> d = two ? cut_to_integer(divisor) : std::nullopt;
    std::optional<int64_t> r = two ? cut_to_integer(remainder) : std::nullopt;
    if (!d || !r || *d == 0) return refuse("there must be an array of two numbers, a divisor that is not 0 and a remainder");
    Query::Test test = make(Operator::kMod);
    test.more->divisor = *d;
    test.more->remainder = *r;
    return test;
  }

  Result<Query::Test> size(Bytes operand) {
    std::optional<int64_t> n = whole_number(head_of(operand));
    if (!n || *n < 0) return refuse("there must be a whole number, 0 or more");
    Query::Test test = make(Operator::kSize);
    test.more->size = static_cast<uint64_t>(*n);
    return test;
  }

  Result<Query::Test> element_match(Bytes operand) {
    if (head_of(operand).kind != Kind::kMap) return refuse("there must be a document: a query, or operators");
    Bytes first = first_key(operand);
    if (is_operator(first) && !is_logical(first)) {
      Query::Test test = make(Operator::kElementIs);
      HF_CHECK_OK(operators(operand, test.more->tests));
      for (size_t i = 0; i < test.more->tests.size(); ++i) HF_CHECK_OK(count_one());
      return test;
    }
    Query::Test test = make(Operator::kElementMatches);
    test.more->query = std::make_unique<Conjunction>();
    HF_CHECK_OK(conjunction(operand, *test.more->query));
    return test;
  }

  Result<Query::Test> negated_operators(Bytes operand) {
    if (!is_operator(first_key(operand))) return refuse("there must be a document of operators");
    Query::Test test = make(Operator::kAll);
    HF_CHECK_OK(operators(operand, test.more->tests));
    for (size_t i = 0; i < test.more->tests.size(); ++i) HF_CHECK_OK(count_one());
    test.negated = true;
    return test;
  }

  Result<> all_of(Bytes operand, Tests& out) {
    Cursor at(operand);
    Value head;
    at.next(head);
    if (head.kind != Kind::kArray) return refuse("there must be an array of values");
    if (head.count == 0) out.push_back(make(Operator::kNothing));
    bool by_element = false;
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes value = at.raw();
      Bytes first = first_key(value);
      if (i == 0) by_element = first == "$elemMatch";
      if (by_element != (first == "$elemMatch") || (by_element && head_of(value).count != 1)) return refuse("either all of the array are $elemMatch, or none is");
      if (!by_element && is_operator(first)) return refuse("values cannot be operators, but for $elemMatch");
      if (by_element) {
        HF_CHECK_OK(operators(value, out));
      } else {
        HF_TRY(test, compare_with(Operator::kEqual, value));
        out.push_back(std::move(test));
      }
    }
    return {};
  }

  // ---- Arranging

  /// Sorts conditions by their fields, throughout.
  static void arrange(Conjunction& c) {
    std::ranges::sort(c.conditions, {}, [](const Query::Condition& x) { return x.path.first().name; });
    for (uint32_t i = 0; i < c.conditions.size(); ++i) {
      Query::Condition& condition = c.conditions[i];
      arrange(condition.test);
      Bytes name = condition.path.first().name;
      if (i == 0 || c.fields.back().name != name) c.fields.push_back({name, i, i, true});
      c.fields.back().end = i + 1;
      c.fields.back().may_be_missing &= condition.test.holds_of_missing();
    }
    for (const Conjunction::Field& f : c.fields) c.required += !f.may_be_missing;
    for (Conjunction::Branch& branch : c.branches)
      for (Conjunction& alternative : branch.alternatives) arrange(alternative);
  }
  static void arrange(Query::Test& test) {
    if (!test.more) return;
    if (test.more->query) arrange(*test.more->query);
    for (Query::Test& t : test.more->tests) arrange(t);
  }

  Query query_;
  std::vector<std::string> place_;
  size_t conditions_ = 0;
  uint32_t next_order_ = 0;
};

Result<Query> Query::compile(Bytes query) { return QueryCompiler().compile(query); }
Result<Query> Query::compile_element(Bytes condition) { return QueryCompiler().compile_element(condition); }

}  // namespace holdfast::core
