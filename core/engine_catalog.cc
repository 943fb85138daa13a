// Names: resolving them, and the changes of the catalog.
//
// A change of the catalog is an entry like any other, made on core 0, one at a time. A drop is also a barrier: every core stops admitting to the collection and
// lets those inside post their entries; then the drop is posted, behind them.
#include <fmt/core.h>

#include <algorithm>

#include "core/engine_impl.h"
#include "io/base/probe.h"
#include "io/base/utf8.h"

namespace holdfast::core {

Result<> check_database_name(std::string_view name) {
  auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > 63 || !std::all_of(name.begin(), name.end(), allowed))
    return fail(Code::kBadRequest, "a database's name has 1 to 63 characters of A-Z, a-z, 0-9, '_' and '-'");
  return {};
}

Result<> check_collection_name(std::string_view name) {
  bool control = std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (name.empty() || name.size() > 255 || control || !is_utf8(name))
    return fail(Code::kBadRequest, "a collection's name has 1 to 255 bytes of UTF-8 without control characters");
  return {};
}

// ---- Names ----

io::Task<EngineCore*> EngineImpl::up_to_date(Lsn after) {
  io::Executor& here = co_await io::this_executor();
  EngineCore* core = shared_.cores[here.core().value].get();
  if (core->applied() < after) co_await core->applied_through(after);
  co_return core;
}

Lsn EngineImpl::read_lsn() { return MUTANT("read-at-stale-lsn") ? Lsn() : committed_lsn(); }

io::Task<EngineImpl::Named> EngineImpl::lookup(Name name, Lsn after) {
  EngineCore* core = co_await up_to_date(after);
  co_return Named{core->catalog().collection(name.database, name.collection), core->seen()};
}

io::Task<Result<CollectionRef>> EngineImpl::resolve(Name name) {
  for (;;) {
    if (Named found = co_await lookup(name, committed_lsn()); found.ref) co_return *found.ref;
    HF_CO_CHECK_OK(check_database_name(name.database));
    HF_CO_CHECK_OK(check_collection_name(name.collection));
    Created created = co_await io::call_on<Created>(
        host_.cores, CoreId(0), [this, d = std::string(name.database), c = std::string(name.collection)] { return create_on_core_0(d, c); });
    if (!created.result) co_return fail(created.result);
    co_await up_to_date(created.lsn);
  }
}

io::Task<EngineImpl::Created> EngineImpl::create_on_core_0(std::string database, std::string collection) {
  co_await catalog_turn_.acquire(1);
  EngineCore& core = *co_await up_to_date(committed_lsn());
  Created out;
  const Catalog& catalog = core.catalog();
  if (catalog.collection(database, collection)) {
    out.lsn = core.applied();
  } else if (!catalog.database(database) && catalog.database_count() >= shared_.options.max_databases) {
    out.result = fail(Code::kTooLarge, fmt::format("there are {} databases already, the most this server takes", catalog.database_count()));
  } else if (catalog.collection_count() >= shared_.options.max_collections) {
    out.result = fail(Code::kTooLarge, fmt::format("there are {} collections already, the most this server takes", catalog.collection_count()));
  } else {
    auto entry = std::make_shared<Submission>(CoreId(0));
    auto add = [&](const CatalogChange& change) {
      Buffer body = encode(change);
      entry->add({EffectKind::kCatalog, change.database, ShardId(0), change.collection, {}, body});
    };
    const DatabaseInfo* info = catalog.database(database);
    DatabaseId id = info ? info->id : catalog.next_database();
    if (!info) add({CatalogChange::Kind::kCreateDatabase, id, {}, database});
    add({CatalogChange::Kind::kCreateCollection, id, catalog.next_collection(), collection});
    shared_.journal->append(entry);
    co_await entry->applied.wait();
    out.lsn = entry->lsn;
  }
  catalog_turn_.release(1);
  co_return out;
}

io::Task<Reply<bool>> EngineImpl::drop_on_core_0(std::string database, std::string collection, Numbered request) {
  co_await catalog_turn_.acquire(1);
  EngineCore& core = *co_await up_to_date(MUTANT("drop-answers-at-a-stale-lsn") ? Lsn() : committed_lsn());
  Reply<bool> out{false, core.applied()};
  if (OptionalRef ref = core.catalog().collection(database, collection)) {
    for (uint16_t k = 0; k < shared_.cores.size() && !MUTANT("drop-skips-barrier"); ++k)
      co_await io::call_on<bool>(host_.cores, CoreId(k), [&c = *shared_.cores[k], id = ref->collection] { return c.close_gate(id); });
    auto entry = std::make_shared<Submission>(CoreId(0));
    Buffer body = encode({CatalogChange::Kind::kDropCollection, ref->database, ref->collection, {}});
    entry->add({EffectKind::kCatalog, ref->database, ShardId(0), ref->collection, {}, body});
    Noted also;
    if (request.any()) also = note(request, encode_outcome(true));
    if (also.get()) entry->add(*also.get());
    shared_.journal->append(entry);
    if (!MUTANT("drop-acked-before-commit")) co_await entry->applied.wait();
    out = {true, entry->lsn};
  }
  catalog_turn_.release(1);
  co_return out;
}

io::Task<Reply<bool>> EngineImpl::create_collection(Name name) {
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<bool>(admitted);
  Result<CollectionRef> ref = co_await resolve(name);
  if (!ref) co_return refuse<bool>(ref);
  co_return Reply<bool>{true, committed_lsn()};
}

io::Task<Reply<bool>> EngineImpl::drop_collection(Name name) {
  return once<bool>(name.request, [this, name] { return drop(name); });
}

io::Task<Reply<bool>> EngineImpl::drop(Name name) {
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<bool>(admitted);
  co_return co_await io::call_on<Reply<bool>>(
      host_.cores, CoreId(0), [this, d = std::string(name.database), c = std::string(name.collection), request = name.request] { return drop_on_core_0(d, c, request); });
}

io::Task<Reply<bool>> EngineImpl::database_exists(std::string_view database) {
  EngineCore* core = co_await up_to_date(committed_lsn());
  co_return Reply<bool>{core->catalog().database(database) != nullptr, core->seen()};
}

io::Task<Reply<bool>> EngineImpl::collection_exists(Name name) {
  EngineCore* core = co_await up_to_date(committed_lsn());
  co_return Reply<bool>{core->catalog().collection(name.database, name.collection).has_value(), core->seen()};
}

io::Task<Reply<std::vector<std::string>>> EngineImpl::list_databases() {
  EngineCore* core = co_await up_to_date(committed_lsn());
  co_return Reply<std::vector<std::string>>{core->catalog().database_names(), core->seen()};
}

io::Task<Reply<std::vector<std::string>>> EngineImpl::list_collections(std::string_view database) {
  EngineCore* core = co_await up_to_date(committed_lsn());
  co_return Reply<std::vector<std::string>>{core->catalog().collection_names(database), core->seen()};
}

}  // namespace holdfast::core
