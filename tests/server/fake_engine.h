// FakeEngine: documents in memory, and handles for tests to hold calls back and to see what reached the engine, in
// which order.
#pragma once

#include <map>

#include "core/document.h"
#include "core/engine.h"
#include "io/sync.h"

namespace holdfast::test {

class FakeEngine final : public core::Engine {
 public:
  template <class T>
  using Reply = core::Reply<T>;
  using Name = core::Name;

  // --- What tests see and do.
  std::vector<std::string> calls;  ///< in the order in which they began
  core::Repeat last_repeat = core::Repeat::kByShape;
  size_t under_way = 0;
  bool stopped = false;
  uint64_t lsn = 0;
  uint64_t durable = 0;
  std::optional<uint64_t> last_max_bytes;
  core::StreamPosition last_stream;  ///< its cursor is gone by now
  std::vector<std::string> damage;  ///< what a verification finds
  std::optional<Error> commits_fail_with;
  /// Calls that begin while this is set wait until let_go().
  bool held = false;
  /// Inserts that happen while this is set are answered after let_go().
  bool held_after = false;
  void let_go() {
    held = false;
    gate_.notify_all();
  }
  void fail_for_good(Error error) { failure_.set(std::move(error)); }
  std::vector<Buffer>& documents(std::string database, std::string collection) {
    return data_[{std::move(database), std::move(collection)}];
  }

  // --- Engine.
  io::Task<Result<>> stop() override {
    HF_ASSERT(under_way == 0, "the engine is stopped when no call is under way");
    stopped = true;
    if (!failure_.is_set()) failure_.set({Code::kShuttingDown, "stopped"});
    co_return Result<>();
  }
  io::Task<Error> failed() override { return failure_.take(); }

  io::Task<Reply<Buffer>> insert_one(Name name, Bytes document, core::Repeat repeat) override {
    last_repeat = repeat;
    co_await begin("insert_one", name);
    Result<Buffer> inserted = insert(name, document, repeat);
    if (held_after) co_await gate_.wait();
    co_return end(std::move(inserted));
  }
  io::Task<Reply<std::vector<Buffer>>> insert_many(Name name, std::vector<Bytes> documents,
                                                   core::Repeat repeat) override {
    last_repeat = repeat;
    co_await begin("insert_many", name);
    std::vector<Buffer> ids;
    for (Bytes document : documents) {
      Result<Buffer> id = insert(name, document, repeat);
      if (!id) co_return end(Result<std::vector<Buffer>>(fail(std::move(id))));
      ids.push_back(std::move(*id));
    }
    co_return end(Result<std::vector<Buffer>>(std::move(ids)));
  }
  io::Task<Reply<std::optional<Buffer>>> find_by_id(Name name, Bytes id) override {
    co_await begin("find_by_id", name);
    std::optional<Buffer> out;
    for (const Buffer& d : of(name))
      if (msgpack::lookup(d, "_id") == id) out = d;
    co_return end(Result<std::optional<Buffer>>(std::move(out)));
  }
  io::Task<Reply<std::vector<Buffer>>> find(Name name, const core::Find& find, core::FindBounds bounds) override {
    last_max_bytes = bounds.answer;
    co_await begin("find", name);
    std::vector<Buffer> out;
    size_t bytes = 0;
    for (const Buffer& d : of(name)) {
      if ((find.limit > 0 && out.size() == find.limit) || find.query.match(d) != core::Query::Match::kYes) continue;
      bytes += d.size();
      if (bytes > bounds.answer)
        co_return end(Result<std::vector<Buffer>>(fail(Code::kTooLarge, "more than fits; use limit")));
      out.push_back(find.projection.whole() ? d : find.projection.apply(d));
    }
    co_return end(Result<std::vector<Buffer>>(std::move(out)));
  }
  io::Task<Reply<uint64_t>> count(Name name, const core::Query& query) override {
    co_await begin("count", name);
    uint64_t n = 0;
    for (const Buffer& d : of(name)) n += query.match(d) == core::Query::Match::kYes;
    co_return end(Result<uint64_t>(n));
  }
  io::Task<Reply<core::Modified>> modify_one(Name name, const core::Modification& change) override {
    co_await begin(change.update ? "update_one" : "delete_one", name);
    co_return end(modify(of(name), change, 1));
  }
  io::Task<Reply<core::Modified>> modify_many(Name name, const core::Modification& change) override {
    co_await begin(change.update ? "update_many" : "delete_many", name);
    co_return end(modify(of(name), change, UINT64_MAX));
  }
  /// Transactions that do nothing: what is asked within them happens at once.
  io::Task<Reply<Buffer>> begin_transaction(core::TransactionOptions options) override {
    co_await begin(options.validate_reads ? "begin_transaction, validated" : "begin_transaction", {});
    co_return end(Result<Buffer>("tx-1"));
  }
  io::Task<Reply<Lsn>> commit_transaction(std::string_view id, core::Numbered) override {
    co_await begin("commit " + std::string(id), {});
    co_return end(commits_fail_with ? Result<Lsn>(std::unexpected(*commits_fail_with)) : Result<Lsn>(Lsn(lsn)));
  }
  io::Task<Reply<bool>> roll_back_transaction(std::string_view id) override {
    co_await begin("roll back " + std::string(id), {});
    co_return end(Result<bool>(true));
  }
  io::Task<Reply<uint64_t>> open_session() override {
    co_await begin("open_session", {});
    co_return end(Result<uint64_t>(7));
  }
  io::Task<Reply<bool>> close_session(uint64_t session) override {
    co_await begin("close_session " + std::to_string(session), {});
    co_return end(Result<bool>(true));
  }
  /// Odd numbers were executed, at an LSN of the same number.
  io::Task<Reply<std::optional<core::SessionOutcome>>> request_outcome(core::Numbered request) override {
    co_await begin("request_outcome", {});
    std::optional<core::SessionOutcome> out;
    if (request.number % 2 == 1) out = core::SessionOutcome{.lsn = Lsn(request.number), .result = {}};
    co_return end(Result<std::optional<core::SessionOutcome>>(std::move(out)));
  }
  io::Task<Reply<bool>> create_collection(Name name) override {
    co_await begin("create_collection", name);
    (void)of(name);
    co_return end(Result<bool>(true));
  }
  io::Task<Reply<bool>> drop_collection(Name name) override {
    co_await begin("drop_collection", name);
    co_return end(Result<bool>(data_.erase({std::string(name.database), std::string(name.collection)}) > 0));
  }
  io::Task<Reply<bool>> database_exists(std::string_view database) override {
    co_await begin("database_exists", {database, ""});
    co_return end(Result<bool>(std::ranges::any_of(data_, [&](const auto& d) { return d.first.first == database; })));
  }
  io::Task<Reply<bool>> collection_exists(Name name) override {
    co_await begin("collection_exists", name);
    co_return end(Result<bool>(data_.contains({std::string(name.database), std::string(name.collection)})));
  }
  io::Task<Reply<std::vector<std::string>>> list_databases() override {
    co_await begin("list_databases", {});
    std::vector<std::string> out;
    for (const auto& [key, unused] : data_)
      if (out.empty() || out.back() != key.first) out.push_back(key.first);
    co_return end(Result<std::vector<std::string>>(std::move(out)));
  }
  io::Task<Reply<std::vector<std::string>>> list_collections(std::string_view database) override {
    co_await begin("list_collections", {database, ""});
    std::vector<std::string> out;
    for (const auto& [key, unused] : data_)
      if (key.first == database) out.push_back(key.second);
    co_return end(Result<std::vector<std::string>>(std::move(out)));
  }

  /// Indexes of any collection are those of all.
  io::Task<Reply<core::IndexCensus>> create_index(Name name, const core::IndexSpec& index) override {
    co_await begin("create_index", name);
    if (Result<> checked = core::check_index(index); !checked) co_return end(Result<core::IndexCensus>(fail(checked)));
    indexes_.push_back(index);
    co_return end(Result<core::IndexCensus>(census(name, index)));
  }
  io::Task<Reply<bool>> drop_index(Name name, std::string_view index) override {
    co_await begin("drop_index " + std::string(index), name);
    bool there = std::erase_if(indexes_, [&](const core::IndexSpec& i) { return i.name() == index; }) > 0;
    co_return end(there ? Result<bool>(true) : Result<bool>(fail(Code::kNotFound, "no such index")));
  }
  io::Task<Reply<std::vector<core::IndexSpec>>> list_indexes(Name name) override {
    co_await begin("list_indexes", name);
    co_return end(Result<std::vector<core::IndexSpec>>(indexes_));
  }
  io::Task<Reply<core::IndexCensus>> index_census(Name name, std::string_view index) override {
    co_await begin("index_census " + std::string(index), name);
    for (const core::IndexSpec& i : indexes_)
      if (i.name() == index) co_return end(Result<core::IndexCensus>(census(name, i)));
    co_return end(Result<core::IndexCensus>(fail(Code::kNotFound, "no such index")));
  }

  io::Task<Reply<core::EngineStats>> stats() override {
    co_await begin("stats", {});
    core::EngineStats out{
        .committed = Lsn(lsn), .durable = Lsn(durable), .shard_count = 4, .mode = core::SyncMode::kAsync};
    for (const auto& [key, documents] : data_) out.collections.push_back({key.first, key.second, documents.size()});
    co_return end(Result<core::EngineStats>(std::move(out)));
  }
  io::Task<Reply<bool>> flush() override {
    co_await begin("flush", {});
    durable = lsn;
    co_return end(Result<bool>(true));
  }
  /// So many documents a page; the cursor is the next one's number, among those that match. Sorts nothing.
  io::Task<Reply<core::DocumentPage>> stream_page(Name name, const core::Find& find, core::StreamPosition from) override {
    last_stream = from;
    last_max_bytes = from.bytes;
    co_await begin("stream_page", name);
    std::vector<Buffer> matching;
    for (const Buffer& d : of(name))
      if (find.query.match(d) == core::Query::Match::kYes) matching.push_back(find.projection.whole() ? d : find.projection.apply(d));
    size_t at = from.cursor.empty() ? find.skip : static_cast<size_t>(from.cursor[0]);
    size_t all = find.limit == 0 ? matching.size() : std::min<size_t>(matching.size(), find.skip + find.limit);
    core::DocumentPage out;
    out.snapshot = Lsn(lsn);
    while (at < all && (from.documents == 0 || out.documents.size() < from.documents)) out.documents.push_back(matching[at++]);
    if (at < all) out.cursor = Buffer(1, static_cast<char>(at));
    co_return end(Result<core::DocumentPage>(std::move(out)));
  }
  /// One document a page; the cursor is the next one's number.
  io::Task<Reply<core::DocumentPage>> export_page(Name name, Bytes cursor, uint64_t max_bytes) override {
    last_max_bytes = max_bytes;
    co_await begin("export_page", name);
    const auto& all = of(name);
    size_t at = cursor.empty() ? 0 : static_cast<size_t>(cursor[0]);
    core::DocumentPage out;
    out.snapshot = Lsn(lsn);
    if (at < all.size()) out.documents.push_back(all[at]);
    if (at + 1 < all.size()) out.cursor = Buffer(1, static_cast<char>(at + 1));
    co_return end(Result<core::DocumentPage>(std::move(out)));
  }

  /// Two parts; the first names what is in `damage`.
  io::Task<Reply<core::VerifyPage>> verify_page(Bytes cursor, uint64_t max_bytes) override {
    last_max_bytes = max_bytes;
    co_await begin("verify_page", {});
    core::VerifyPage out{.records = 3, .bytes = 100, .shards_done = cursor.empty() ? 1u : 2u, .shards = 2};
    if (cursor.empty()) {
      out.damage = damage;
      out.cursor = "next";
    }
    co_return end(Result<core::VerifyPage>(std::move(out)));
  }
  io::Task<Result<>> settle_loss() override { co_return Result<>(); }

  Lsn committed_lsn() const override { return Lsn(lsn); }
  Lsn durable_lsn() const override { return Lsn(durable); }

 private:
  using Key = std::pair<std::string, std::string>;

  io::Task<void> begin(std::string what, Name name) {
    ++under_way;
    calls.push_back(std::move(what) + (name.database.empty() ? "" : " ") + std::string(name.database) +
                    (name.collection.empty() ? "" : "/") + std::string(name.collection) +
                    (name.transaction.empty() ? "" : " in ") + std::string(name.transaction) +
                    (name.request.any() ? " once" : ""));
    while (held) co_await gate_.wait();
  }
  template <class T>
  Reply<T> end(Result<T> result) {
    --under_way;
    return {std::move(result), Lsn(lsn)};
  }
  std::vector<Buffer>& of(Name name) { return documents(std::string(name.database), std::string(name.collection)); }

  Result<core::Modified> modify(std::vector<Buffer>& all, const core::Modification& change, uint64_t most) {
    core::Modified out;
    for (auto d = all.begin(); d != all.end() && out.matched < most;) {
      if (change.of.query.match(*d) != core::Query::Match::kYes) {
        ++d;
        continue;
      }
      ++out.matched;
      if (!change.update) {
        ++out.modified;
        d = all.erase(d);
        continue;
      }
      auto applied = change.apply(*d, {});
      if (!applied) return fail(std::move(applied));
      out.modified += applied->changed();
      *d++ = std::move(applied->document);
    }
    return out;
  }
  Result<Buffer> insert(Name name, Bytes document, core::Repeat repeat) {
    auto id = msgpack::lookup(document, "_id");
    if (!id) return fail(Code::kBadRequest, "the fake engine generates no ids");
    for (const Buffer& d : of(name))
      if (msgpack::lookup(d, "_id") == *id) {
        if (repeat == core::Repeat::kAccept && d == document) return Buffer(*id);
        return fail(Code::kDuplicateKey, "E11000 duplicate key");
      }
    of(name).emplace_back(document);
    ++lsn;
    return Buffer(*id);
  }

  core::IndexCensus census(Name name, const core::IndexSpec& index) {
    core::IndexCensus out;
    for (const Buffer& d : of(name)) {
      core::IndexFit f = core::fit(index, d);
      (f.kind == core::IndexFit::Kind::kFits ? out.fitting : out.others) += 1;
      if (f.kind == core::IndexFit::Kind::kOther) out.issues.push_back({Buffer(*core::find_id(d)), f.field, std::string(f.actual)});
    }
    return out;
  }

  std::map<Key, std::vector<Buffer>> data_;
  std::vector<core::IndexSpec> indexes_;
  io::WaitList gate_;
  io::OneShot<Error> failure_;
};

}  // namespace holdfast::test
