#include "chaos/suite/enumerate/script.h"

#include <fmt/core.h>

namespace holdfast::chaos {
namespace {

/// "a.b" is collection b of database a.
core::Name name_of(std::string_view path) {
  size_t dot = path.find('.');
  return {path.substr(0, dot), path.substr(dot + 1)};
}

}  // namespace

Step Script::step(Step::Kind kind, const std::string& collection, Documents documents) const {
  core::Name name = name_of(collection);
  return {kind, std::string(name.database), std::string(name.collection), std::move(documents)};
}

template <class T>
bool Script::answered(size_t step, core::Reply<T>& reply, bool changed) {
  if (reply.result) {
    course_.told(step, changed, reply.lsn, engine_.durable_lsn());
    return true;
  }
  course_.refused(step);
  if (reply.result.error().code != Code::kDiskFull)
    surprises_.push_back(fmt::format("step {} was refused: {}", step, reply.result.error().text()));
  return false;
}

io::Task<void> Script::put(std::string collection, std::string key, uint64_t value) {
  Buffer document = script_document(key, value);
  size_t at = course_.ask(step(Step::Kind::kPut, collection, {{key, value}}));
  auto reply = co_await engine_.insert_one(name_of(collection), document, core::Repeat::kByShape);
  answered(at, reply, true);
}

io::Task<void> Script::put_all(std::string collection, Documents documents) {
  std::vector<Buffer> bodies;
  for (const auto& [key, value] : documents) bodies.push_back(script_document(key, value));
  size_t at = course_.ask(step(Step::Kind::kPut, collection, documents));
  auto reply = co_await engine_.insert_many(name_of(collection), std::vector<Bytes>(bodies.begin(), bodies.end()), core::Repeat::kByShape);
  answered(at, reply, true);
}

io::Task<void> Script::put_together(std::string collection, Documents documents) {
  io::Executor& here = co_await io::this_executor();
  under_way_ = documents.size();
  for (const auto& [key, value] : documents) here.spawn(put_one_of(collection, key, value));
  while (under_way_ > 0) co_await ended_.wait();
}

io::Task<void> Script::put_one_of(std::string collection, std::string key, uint64_t value) {
  co_await put(std::move(collection), std::move(key), value);
  --under_way_;
  ended_.notify_all();
}

io::Task<void> Script::update(std::string collection, std::string key, uint64_t value) {
  auto filter = core::Query::compile(script_filter(key));
  auto change = core::Update::compile(script_update(value));
  size_t at = course_.ask(step(Step::Kind::kUpdate, collection, {{key, value}}));
  auto reply = co_await engine_.modify_one(name_of(collection), core::update_of(std::move(*filter), std::move(*change)));
  if (answered(at, reply, reply.result && reply.result->modified > 0) && reply.result->matched != 1)
    surprises_.push_back("an update did not find the document " + key);
}

io::Task<void> Script::remove(std::string collection, std::string key) {
  auto filter = core::Query::compile(script_filter(key));
  size_t at = course_.ask(step(Step::Kind::kDelete, collection, {{key, 0}}));
  auto reply = co_await engine_.modify_one(name_of(collection), core::deletion_of(std::move(*filter)));
  if (answered(at, reply, reply.result && reply.result->modified > 0) && reply.result->modified != 1)
    surprises_.push_back("a delete did not find the document " + key);
}

io::Task<void> Script::update_all(std::string collection, std::vector<std::string> keys, uint64_t value) {
  Documents documents;
  for (const std::string& key : keys) documents.emplace_back(key, value);
  size_t at = course_.ask(step(Step::Kind::kUpdate, collection, documents));
  auto reply = co_await engine_.modify_many(
      name_of(collection), core::update_of(*core::Query::compile(script_filter(keys)), *core::Update::compile(script_update(value))));
  if (answered(at, reply, reply.result && reply.result->modified > 0) && reply.result->modified != keys.size())
    surprises_.push_back(fmt::format("an update of {} documents changed {}", keys.size(), reply.result->modified));
}

io::Task<void> Script::remove_all(std::string collection, std::vector<std::string> keys) {
  Documents documents;
  for (const std::string& key : keys) documents.emplace_back(key, 0);
  size_t at = course_.ask(step(Step::Kind::kDelete, collection, documents));
  auto reply = co_await engine_.modify_many(name_of(collection), core::deletion_of(*core::Query::compile(script_filter(keys))));
  if (answered(at, reply, reply.result && reply.result->modified > 0) && reply.result->modified != keys.size())
    surprises_.push_back(fmt::format("a delete of {} documents removed {}", keys.size(), reply.result->modified));
}

io::Task<void> Script::upsert(std::string collection, std::string key, uint64_t value) {
  core::Modification change = core::update_of(*core::Query::compile(script_filter(key)), *core::Update::compile(script_document(key, value)));
  change.upsert = true;
  size_t at = course_.ask(step(Step::Kind::kPut, collection, {{key, value}}));
  auto reply = co_await engine_.modify_one(name_of(collection), change);
  if (answered(at, reply, reply.result.has_value()) && !reply.result->upserted)
    surprises_.push_back("an upsert found the document " + key);
}

/// Inserts, changes or deletes the document, whichever it takes.
io::Task<Step> Script::change_within(Bytes id, const Change& change) {
  core::Name name = name_of(change.collection);
  name.transaction = id;
  Buffer key = script_id(change.key);
  auto there = co_await engine_.find_by_id(name, key);
  bool insert = there.result && !there.result->has_value();
  Result<> done;
  if (!there.result) {
    done = std::unexpected(there.result.error());
  } else if (insert) {
    Buffer document = script_document(change.key, change.value);
    auto reply = co_await engine_.insert_one(name, document, core::Repeat::kNever);
    if (!reply.result) done = std::unexpected(reply.result.error());
  } else {
    core::Query filter = *core::Query::compile(script_filter(change.key));
    auto reply = co_await engine_.modify_one(name, change.value == 0 ? core::deletion_of(std::move(filter))
                                                                     : core::update_of(std::move(filter), *core::Update::compile(script_update(change.value))));
    if (!reply.result) done = std::unexpected(reply.result.error());
  }
  if (!done) surprises_.push_back(fmt::format("a change of {} within a transaction was refused: {}", change.key, done.error().text()));
  Step::Kind kind = insert ? Step::Kind::kPut : change.value == 0 ? Step::Kind::kDelete : Step::Kind::kUpdate;
  co_return step(kind, change.collection, {{change.key, change.value}});
}

io::Task<Buffer> Script::transaction(const std::vector<Change>& changes, std::vector<Step>& steps) {
  auto begun = co_await engine_.begin_transaction({});
  if (!begun.result) {
    surprises_.push_back("a transaction was refused: " + begun.result.error().text());
    co_return Buffer();
  }
  for (const Change& change : changes) steps.push_back(co_await change_within(*begun.result, change));
  co_return *begun.result;
}

io::Task<void> Script::commit(std::vector<Change> changes) {
  std::vector<Step> steps;
  Buffer id = co_await transaction(changes, steps);
  if (id.empty()) co_return;
  Step all = steps.front();
  all.together.assign(steps.begin() + 1, steps.end());
  size_t at = course_.ask(std::move(all));
  auto reply = co_await engine_.commit_transaction(id);
  answered(at, reply, true);
}

io::Task<void> Script::roll_back(std::vector<Change> changes) {
  std::vector<Step> steps;
  Buffer id = co_await transaction(changes, steps);
  auto reply = co_await engine_.roll_back_transaction(id);
  if (!reply.result) surprises_.push_back("a transaction could not be rolled back: " + reply.result.error().text());
}

io::Task<void> Script::create(std::string collection) {
  size_t at = course_.ask(step(Step::Kind::kCreate, collection));
  auto reply = co_await engine_.create_collection(name_of(collection));
  answered(at, reply, true);
}

io::Task<void> Script::drop(std::string collection) {
  size_t at = course_.ask(step(Step::Kind::kDrop, collection));
  auto reply = co_await engine_.drop_collection(name_of(collection));
  answered(at, reply, reply.result && *reply.result);
}

io::Task<void> Script::declare(std::string collection, std::string path) {
  core::IndexSpec index{{{path, core::IndexField::Type::kInteger}}};
  size_t at = course_.ask(step(Step::Kind::kPut, collection, {{index_key(index), index_value(index)}}));
  auto reply = co_await engine_.create_index(name_of(collection), index);
  answered(at, reply, true);
}

io::Task<void> Script::drop_index(std::string collection, std::string path) {
  core::IndexSpec index{{{path, core::IndexField::Type::kInteger}}};
  size_t at = course_.ask(step(Step::Kind::kDelete, collection, {{index_key(index), 0}}));
  auto reply = co_await engine_.drop_index(name_of(collection), path);
  answered(at, reply, true);
}

io::Task<void> Script::flush() {
  auto reply = co_await engine_.flush();
  if (!reply.result) surprises_.push_back("a flush was refused: " + reply.result.error().text());
  course_.reported(engine_.durable_lsn());
}

io::Task<void> Script::pause(Duration d) {
  co_await io::sleep_for(d);
  course_.reported(engine_.durable_lsn());
}

}  // namespace holdfast::chaos
