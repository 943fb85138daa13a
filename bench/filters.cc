#include "bench/filters.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "bench/child.h"
#include "core/query.h"
#include "io/base/msgpack.h"
#ifdef HOLDFAST_BENCH_SQLITE
#include <sqlite3.h>
#endif
#ifdef HOLDFAST_BENCH_SIMDJSON
#include <simdjson.h>
#endif

namespace holdfast::bench {
namespace {

/// Texts one behind the other, as a scan reads them.
struct Texts {
  Buffer all;
  std::vector<size_t> begins = {0};
  void end_one() { begins.push_back(all.size()); }
  size_t size() const { return begins.size() - 1; }
  Bytes operator[](size_t i) const { return Bytes(all).substr(begins[i], begins[i + 1] - begins[i]); }
};

/// The same documents twice: as the server keeps them, and as JSON.
struct Data {
  Texts packed, json;
};

std::string name_of(uint64_t n) { return fmt::format("{}{}", n % 7 == 0 ? "north" : n % 2 ? "east" : "west", n * 0x9e3779b9 % 100'000); }

Data make(const FilterOptions& o) {
  Data out;
  for (uint64_t n = 0; n < o.documents; ++n) {
    std::string id = fmt::format("{:016x}", (n + 1) * 0x9e3779b97f4a7c15ULL), name = name_of(n);
    std::string text(static_cast<size_t>(std::max(0, o.document_bytes - 130)), ' ');
    for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + (n * 31 + i * 7 + i / 11) % 26);
    msgpack::Writer w(out.packed.all);
    w.map(6).string("_id").string(id).string("text").string(text).string("n").uint(n % 1000).string("price").float64(static_cast<double>(n % 500) / 4);
    w.string("at").map(2).string("city").map(2).string("code").uint(n % 100).string("zone").uint(n % 9).string("street").string("a street");
    w.string("name").string(name);
    out.json.all.append(fmt::format(R"({{"_id":"{}","text":"{}","n":{},"price":{},"at":{{"city":{{"code":{},"zone":{}}},"street":"a street"}},"name":"{}"}})", id,
                                   text, n % 1000, static_cast<double>(n % 500) / 4, n % 100, n % 9, name));
    out.packed.end_one();
    out.json.end_one();
  }
  return out;
}

struct Filter {
  const char* name;
  std::function<void(msgpack::Writer&)> query;
  const char* sql;
};

const Filter kFilters[] = {
    {"equality", [](msgpack::Writer& w) { w.map(1).string("n").uint(123); }, "json_extract(d, '$.n') = 123"},
    {"range", [](msgpack::Writer& w) { w.map(1).string("price").map(2).string("$gte").uint(20).string("$lt").uint(30); },
     "json_extract(d, '$.price') >= 20 and json_extract(d, '$.price') < 30"},
    {"nested", [](msgpack::Writer& w) { w.map(1).string("at.city.code").uint(42); }, "json_extract(d, '$.at.city.code') = 42"},
    {"regex", [](msgpack::Writer& w) { w.map(1).string("name").map(1).string("$regex").string("^north.*77$"); },
     "json_extract(d, '$.name') glob 'north*77'"},
};

uint64_t count_compiled(const Data& data, const Filter& filter) {
  Buffer text;
  msgpack::Writer w(text);
  filter.query(w);
  auto query = core::Query::compile(text);
  if (!query) die(query.error().text());
  uint64_t found = 0;
  for (size_t i = 0; i < data.packed.size(); ++i) found += query->match(data.packed[i]) == core::Query::Match::kYes;
  return found;
}

#ifdef HOLDFAST_BENCH_SQLITE
class Sqlite {
 public:
  explicit Sqlite(const Data& data) {
    run("create table t (d text)");
    run("begin");
    sqlite3_stmt* insert = prepare("insert into t values (?)");
    for (size_t i = 0; i < data.json.size(); ++i) {
      Bytes d = data.json[i];
      sqlite3_bind_text(insert, 1, d.data(), static_cast<int>(d.size()), SQLITE_STATIC);
      if (sqlite3_step(insert) != SQLITE_DONE) die(sqlite3_errmsg(db_));
      sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    run("commit");
  }
  uint64_t count(const Filter& filter) {
    sqlite3_stmt* select = prepare(fmt::format("select count(*) from t where {}", filter.sql).c_str());
    if (sqlite3_step(select) != SQLITE_ROW) die(sqlite3_errmsg(db_));
    auto found = static_cast<uint64_t>(sqlite3_column_int64(select, 0));
    sqlite3_finalize(select);
    return found;
  }

 private:
  static sqlite3* open() {
    sqlite3* db = nullptr;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) die("SQLite does not open");
    return db;
  }
  void run(const char* sql) {
    if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) die(sqlite3_errmsg(db_));
  }
  sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* out = nullptr;
    if (sqlite3_prepare_v2(db_, sql, -1, &out, nullptr) != SQLITE_OK) die(sqlite3_errmsg(db_));
    return out;
  }
  sqlite3* db_ = open();
};
#endif

#ifdef HOLDFAST_BENCH_SIMDJSON
/// As a tool does that parses each document whole, on demand, and looks at a field.
class Parser {
 public:
  explicit Parser(const Data& data) : json_(data.json) { json_.all.append(simdjson::SIMDJSON_PADDING, ' '); }
  uint64_t count(const Filter& filter) {
    std::string name = filter.name;
    uint64_t found = 0;
    for (size_t i = 0; i < json_.size(); ++i) {
      simdjson::ondemand::document d = parser_.iterate(json_[i].data(), json_[i].size(), json_.all.size() - json_.begins[i]);
      if (name == "equality") {
        found += d["n"].get_uint64() == 123u;
      } else if (name == "range") {
        double price = d["price"].get_double();
        found += price >= 20 && price < 30;
      } else if (name == "nested") {
        found += d["at"]["city"]["code"].get_uint64() == 42u;
      } else {
        std::string_view text = d["name"].get_string();
        found += text.starts_with("north") && text.ends_with("77");
      }
    }
    return found;
  }

 private:
  Texts json_;
  simdjson::ondemand::parser parser_;
};
#endif

double median(std::vector<double> v) {
  std::ranges::sort(v);
  return v[v.size() / 2];
}

struct Contender {
  const char* name;
  uint64_t bytes;
  std::function<uint64_t(const Filter&)> count;
  std::vector<double> seconds = {};
  uint64_t found = 0;
};

}  // namespace

void measure_filters(const FilterOptions& o) {
  Data data = make(o);
  std::vector<Contender> all = {{"compiled", data.packed.all.size(), [&](const Filter& f) { return count_compiled(data, f); }}};
#ifdef HOLDFAST_BENCH_SQLITE
  Sqlite sqlite(data);
  all.push_back({"sqlite_json_extract", data.json.all.size(), [&](const Filter& f) { return sqlite.count(f); }});
#endif
#ifdef HOLDFAST_BENCH_SIMDJSON
  Parser parser(data);
  all.push_back({"simdjson_on_demand", data.json.all.size(), [&](const Filter& f) { return parser.count(f); }});
#endif
  std::string rows;
  for (const Filter& filter : kFilters) {
    for (Contender& c : all) c.seconds.clear();
    for (int round = 0; round < o.rounds; ++round)
      for (Contender& c : all) {
        auto begin = std::chrono::steady_clock::now();
        c.found = c.count(filter);
        c.seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        if (c.found != all[0].found) die(fmt::format("{}: {} finds {}, not {}", filter.name, c.name, c.found, all[0].found));
      }
    double base = median(all[0].seconds);
    for (Contender& c : all) {
      double s = median(c.seconds);
      rows += fmt::format(R"({}{{"filter":"{}","by":"{}","found":{},"documents_per_second":{:.0f},"gigabytes_per_second":{:.2f},"compiled_is_faster_by":{:.2f}}})",
                          rows.empty() ? "" : ",\n  ", filter.name, c.name, c.found, static_cast<double>(o.documents) / s, static_cast<double>(c.bytes) / s / 1e9, s / base);
    }
  }
  fmt::print("{{\"documents\":{},\"bytes\":{},\"json_bytes\":{},\"rounds\":{},\"medians\":[\n  {}]}}\n", o.documents, data.packed.all.size(), data.json.all.size(),
             o.rounds, rows);
}

}  // namespace holdfast::bench
