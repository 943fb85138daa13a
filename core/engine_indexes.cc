// Declared indexes: changes of the catalog, and how documents stand to them.
#include <fmt/core.h>

#include "core/engine_impl.h"
#include "core/path.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

std::unexpected<Error> no_index(std::string_view name) {
  return fail(Code::kNotFound, fmt::format("the collection has no index {}: list_indexes tells which there are", Path::shown(name)));
}

}  // namespace

io::Task<EngineImpl::Created> EngineImpl::create_index_on_core_0(CollectionRef c, IndexSpec index) {
  co_await catalog_turn_.acquire(1);
  EngineCore& core = *co_await up_to_date(committed_lsn());
  Created out{.result = {}, .lsn = core.applied()};
  if (core.catalog().has(c.collection)) {
    const auto& indexes = core.catalog().indexes(c.collection);
    auto there = indexes.find(index.name());
    if (there != indexes.end() && there->second != index) {
      out.result = fail(Code::kBadRequest, fmt::format("there is an index {} already, of values of another type: drop it first", Path::shown(index.name())));
    } else if (there == indexes.end() && indexes.size() >= kMaxIndexesPerCollection) {
      out.result = fail(Code::kTooLarge, fmt::format("the collection has {} indexes already, the most it may have", indexes.size()));
    } else if (there == indexes.end()) {
      auto entry = std::make_shared<Submission>(CoreId(0));
      Buffer body = encode({.kind = CatalogChange::Kind::kCreateIndex, .database = c.database, .collection = c.collection, .index = std::move(index)});
      entry->add({EffectKind::kCatalog, c.database, ShardId(0), c.collection, {}, body});
      if (MUTANT("index-acked-before-commit"))
        shared_.journal->append(entry);
      else
        out.lsn = co_await post_on_core_0(entry);
    }
  } else {
    out.result = fail(Code::kConflict, "the collection was dropped meanwhile: try again");
  }
  catalog_turn_.release(1);
  co_return out;
}

io::Task<EngineImpl::Created> EngineImpl::drop_index_on_core_0(CollectionRef c, std::string index) {
  co_await catalog_turn_.acquire(1);
  EngineCore& core = *co_await up_to_date(committed_lsn());
  Created out{.result = {}, .lsn = core.applied()};
  if (core.catalog().has(c.collection) && core.catalog().indexes(c.collection).contains(index)) {
    auto entry = std::make_shared<Submission>(CoreId(0));
    Buffer body = encode({.kind = CatalogChange::Kind::kDropIndex, .database = c.database, .collection = c.collection, .name = std::move(index)});
    entry->add({EffectKind::kCatalog, c.database, ShardId(0), c.collection, {}, body});
    out.lsn = co_await post_on_core_0(entry);
  } else {
    out.result = no_index(index);
  }
  catalog_turn_.release(1);
  co_return out;
}

io::Task<Reply<IndexCensus>> EngineImpl::create_index(Name name, const IndexSpec& index) {
  if (Result<> checked = check_index(index); !checked) co_return refuse<IndexCensus>(checked);
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<IndexCensus>(admitted);
  Result<CollectionRef> ref = co_await resolve(name);
  if (!ref) co_return refuse<IndexCensus>(ref);
  Created made = co_await io::call_on<Created>(host_.cores, CoreId(0), [this, c = *ref, &index] { return create_index_on_core_0(c, index); });
  if (!made.result) co_return Reply<IndexCensus>{fail(made.result), made.lsn};
  co_await up_to_date(made.lsn);
  auto [there, snapshot] = co_await open_snapshot(name);
  if (!there) co_return Reply<IndexCensus>{IndexCensus(), snapshot};
  auto found = co_await census(*there, snapshot, index);
  co_await close_snapshot(snapshot);
  co_return Reply<IndexCensus>{std::move(found), snapshot};
}

io::Task<Result<IndexCensus>> EngineImpl::census(CollectionRef c, Lsn snapshot, const IndexSpec& index) {
  IndexCensus all;
  for (uint16_t k = 0; k < shared_.cores.size(); ++k) {
    HF_CO_TRY(some, co_await io::call_on<Result<IndexCensus>>(host_.cores, CoreId(k),
                                                             [this, &core = *shared_.cores[k], c, snapshot, &index, left = IndexCensus::kMaxIssues - all.issues.size()] {
                                                               return core.scan_census(c, snapshot, index, everything_.query, left);
                                                             }));
    all.fitting += some.fitting;
    all.others += some.others;
    all.truncated = all.truncated || some.truncated;
    std::ranges::move(some.issues, std::back_inserter(all.issues));
  }
  co_return all;
}

io::Task<Reply<bool>> EngineImpl::drop_index(Name name, std::string_view index) {
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<bool>(admitted);
  Named named = co_await lookup(name, committed_lsn());
  if (!named.ref) co_return Reply<bool>{no_index(index), named.lsn};
  Created dropped = co_await io::call_on<Created>(host_.cores, CoreId(0), [this, c = *named.ref, i = std::string(index)] { return drop_index_on_core_0(c, i); });
  if (!dropped.result) co_return Reply<bool>{fail(dropped.result), dropped.lsn};
  co_return Reply<bool>{true, dropped.lsn};
}

io::Task<Reply<std::vector<IndexSpec>>> EngineImpl::list_indexes(Name name) {
  std::vector<IndexSpec> out;
  Lsn after = read_lsn();
  EngineCore* core = co_await up_to_date(after);
  if (auto ref = core->catalog().collection(name.database, name.collection))
    for (const auto& [called, spec] : core->catalog().indexes(ref->collection)) out.push_back(spec);
  co_return Reply<std::vector<IndexSpec>>{std::move(out), core->seen()};
}

io::Task<Reply<IndexCensus>> EngineImpl::index_census(Name name, std::string_view index) {
  auto declared = co_await list_indexes(name);
  auto spec = std::ranges::find_if(*declared.result, [&](const IndexSpec& s) { return s.name() == index; });
  if (spec == declared.result->end()) co_return Reply<IndexCensus>{no_index(index), declared.lsn};
  auto [there, snapshot] = co_await open_snapshot(name);
  if (!there) co_return Reply<IndexCensus>{IndexCensus(), snapshot};
  auto found = co_await census(*there, snapshot, *spec);
  co_await close_snapshot(snapshot);
  co_return Reply<IndexCensus>{std::move(found), snapshot};
}

}  // namespace holdfast::core
