#include "chaos/suite/enumerate/contents.h"

#include <fmt/core.h>

#include <algorithm>

#include "io/base/hash.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

constexpr uint64_t kTextBytes = 10'000;
constexpr uint64_t kReadBytes = uint64_t{1} << 24;

std::string text_of(uint64_t value) {
  std::string text(value % kTextBytes, ' ');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + (value + i * 7 + i / 26) % 26);
  return text;
}

Result<std::pair<std::string, StoredDocument>> parse(Bytes document) {
  auto bad = [&](std::string_view what) { return fail(Code::kCorrupt, fmt::format("a document read back {}", what)); };
  std::pair<std::string, StoredDocument> out;
  std::string text;
  msgpack::Cursor in(document);
  msgpack::Value head, value;
  if (!in.next(head) || head.kind != msgpack::Kind::kMap || head.count != 4) return bad("is not a map of four fields");
  for (int i = 0; i < 4; ++i) {
    Bytes name;
    if (!in.string(name) || !in.next(value)) return bad("is malformed");
    if (name == "_id") out.first = value.bytes;
    if (name == "v") out.second.value = value.u;
    if (name == "n") out.second.updates = value.u;
    if (name == "p") text = value.bytes;
  }
  if (!in.at_end() || text != text_of(out.second.value))
    return bad(fmt::format("under key {} has the value of one write and the text of another", out.first));
  return out;
}

template <class T>
std::unexpected<Error> because(std::string_view what, core::Reply<T>& reply) {
  return fail(reply.result.error().code, fmt::format("{}: {}", what, reply.result.error().message));
}

struct Reader {
  core::Engine& engine;
  const std::vector<std::string>& keys;
  const core::Query everything = std::move(*core::Query::compile(Bytes("\x80", 1)));
  const core::Find all{.query = std::move(*core::Query::compile(Bytes("\x80", 1))), .sort = {}, .projection = {}};

  io::Task<Result<StoredCollection>> collection(std::string database, std::string name) {
    core::Name where{database, name};
    StoredCollection out;
    auto found = co_await engine.find(where, all, {.answer = kReadBytes});
    if (!found.result) co_return because("scanning " + name, found);
    for (const Buffer& b : *found.result) {
      HF_CO_TRY(document, parse(b));
      if (!out.insert(document).second)
        co_return fail(Code::kCorrupt, fmt::format("a scan of {} shows the key {} twice", name, document.first));
    }
    auto count = co_await engine.count(where, everything);
    if (!count.result) co_return because("counting " + name, count);
    if (*count.result != out.size())
      co_return fail(Code::kCorrupt, fmt::format("{} counts {} documents, and a scan shows {}", name, *count.result, out.size()));
    for (const std::string& key : keys) HF_CO_CHECK_OK(co_await by_id(where, key, out));
    auto indexes = co_await engine.list_indexes(where);
    if (!indexes.result) co_return because("listing the indexes of " + name, indexes);
    for (const core::IndexSpec& index : *indexes.result) out[index_key(index)] = {index_value(index), 0};
    co_return out;
  }

  io::Task<Result<>> by_id(core::Name where, std::string key, const StoredCollection& scanned) {
    Buffer id = script_id(key);
    auto found = co_await engine.find_by_id(where, id);
    if (!found.result) co_return because("reading " + key, found);
    auto expected = scanned.find(key);
    bool same = found.result->has_value() == (expected != scanned.end());
    if (same && found.result->has_value()) {
      HF_CO_TRY(document, parse(**found.result));
      same = document == std::pair<std::string, StoredDocument>(*expected);
    }
    if (!same)
      co_return fail(Code::kCorrupt, fmt::format("the key {} of {} is {} by id, and a scan shows otherwise", key, where.collection,
                                                 found.result->has_value() ? "there" : "not there"));
    co_return Result<>();
  }
};

}  // namespace

StoredCollection* Contents::find(const std::string& database, const std::string& collection) {
  auto d = databases.find(database);
  if (d == databases.end()) return nullptr;
  auto c = d->second.find(collection);
  return c == d->second.end() ? nullptr : &c->second;
}

StoredCollection& Contents::create(const std::string& database, const std::string& collection) {
  return databases[database][collection];
}

std::string Contents::text() const {
  std::string out;
  for (const auto& [database, collections] : databases) {
    out += fmt::format("{}{}{{", out.empty() ? "" : " ", database);
    for (const auto& [name, documents] : collections) {
      out += fmt::format(" {}:", name);
      for (const auto& [key, d] : documents) out += fmt::format(" {}={}/{}", key, d.value, d.updates);
    }
    out += " }";
  }
  return out.empty() ? "nothing" : out;
}

Buffer script_document(std::string_view key, uint64_t value) {
  Buffer out;
  msgpack::Writer w(out);
  w.map(4).string("_id").string(key).string("v").uint(value).string("n").uint(0).string("p").string(text_of(value));
  return out;
}

Buffer script_update(uint64_t value) {
  Buffer out;
  msgpack::Writer w(out);
  w.map(2).string("$set").map(2).string("v").uint(value).string("p").string(text_of(value));
  w.string("$inc").map(1).string("n").uint(1);
  return out;
}

Buffer script_filter(std::string_view key) {
  Buffer out;
  msgpack::Writer(out).map(1).string("_id").string(key);
  return out;
}

Buffer script_filter(const std::vector<std::string>& keys) {
  Buffer out;
  msgpack::Writer w(out);
  w.map(1).string("_id").map(1).string("$in").array(static_cast<uint32_t>(keys.size()));
  for (const std::string& key : keys) w.string(key);
  return out;
}

Buffer script_id(std::string_view key) {
  Buffer out;
  msgpack::Writer(out).string(key);
  return out;
}

std::string index_key(const core::IndexSpec& index) { return "index " + index.name(); }

uint64_t index_value(const core::IndexSpec& index) {
  Buffer bytes;
  append_index(bytes, index);
  return xxh3_64(bytes);
}

io::Task<Result<Observed>> observe(core::Engine& engine, const std::vector<std::string>& keys) {
  Reader reader{engine, keys};
  Observed out;
  auto databases = co_await engine.list_databases();
  if (!databases.result) co_return because("listing databases", databases);
  for (const std::string& database : *databases.result) {
    auto collections = co_await engine.list_collections(database);
    if (!collections.result) co_return because("listing collections", collections);
    out.contents.databases[database];
    for (const std::string& name : *collections.result) {
      HF_CO_TRY(documents, co_await reader.collection(database, name));
      out.contents.databases[database][name] = std::move(documents);
    }
  }
  auto stats = co_await engine.stats();
  if (!stats.result) co_return because("asking for statistics", stats);
  out.lsn = stats.result->committed;
  out.mode = stats.result->mode;
  co_return out;
}

}  // namespace holdfast::chaos
