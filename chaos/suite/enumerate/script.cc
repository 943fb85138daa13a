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
