#include "chaos/suite/state.h"

#include <fmt/core.h>

#include "io/base/hash.h"

namespace holdfast::chaos {
namespace {

constexpr uint64_t kPageBytes = 64 << 10;

io::Task<Result<>> add_collection(core::Engine& engine, core::Name name, State& state) {
  uint64_t place = xxh3_64(name.collection, xxh3_64(name.database));
  Buffer cursor;
  do {
    auto page = co_await engine.export_page(name, cursor, kPageBytes);
    if (!page.result) co_return fail(page.result);
    for (Bytes document : page.result->documents) {
      ++state.documents;
      state.hash += xxh3_64(document, place);
    }
    cursor = std::move(page.result->cursor);
  } while (!cursor.empty());
  auto indexes = co_await engine.list_indexes(name);
  if (!indexes.result) co_return fail(indexes.result);
  for (const core::IndexSpec& index : *indexes.result) {
    Buffer bytes;
    append_index(bytes, index);
    ++state.indexes;
    state.hash += xxh3_64(bytes, place);
  }
  co_return Result<>();
}

}  // namespace

std::string State::text() const { return fmt::format("{} documents and {} indexes ({:x}) at LSN {}", documents, indexes, hash, lsn.value); }

io::Task<Result<State>> state_of(core::Engine& engine) {
  State state{.lsn = engine.committed_lsn()};
  auto databases = co_await engine.list_databases();
  if (!databases.result) co_return fail(databases.result);
  for (const std::string& database : *databases.result) {
    auto collections = co_await engine.list_collections(database);
    if (!collections.result) co_return fail(collections.result);
    for (const std::string& collection : *collections.result)
      HF_CO_CHECK_OK(co_await add_collection(engine, {database, collection}, state));
  }
  co_return state;
}

}  // namespace holdfast::chaos
