#include "core/many_writes.h"

namespace holdfast::core {
namespace {

io::Task<bool> finish_on(EngineCore& core, const std::vector<PreparedWrite*>& items, const SubmissionRef& entry) {
  co_await core.finish(items, entry);
  co_return true;
}

io::Task<Lsn> append_on_core_0(EngineShared& shared, SubmissionRef entry) { co_return shared.journal->append(std::move(entry)); }

}  // namespace

bool locked_before(const EngineShared& shared, const PreparedWrite& a, const PreparedWrite& b) {
  CoreId ca = shared.core_of(a.shard), cb = shared.core_of(b.shard);
  return std::tie(ca, a.collection.collection, a.key) < std::tie(cb, b.collection.collection, b.key);
}

CoreItems by_core(const EngineShared& shared, std::vector<PreparedWrite>& items) {
  CoreItems out;
  for (PreparedWrite& item : items) out[shared.core_of(item.shard)].push_back(&item);
  return out;
}

io::Task<void> finish_all(EngineShared& shared, const CoreItems& items, SubmissionRef entry) {
  for (const auto& [k, mine] : items)
    co_await io::call_on<bool>(shared.host.cores, k, [&core = *shared.cores[k.value], &mine, &entry] { return finish_on(core, mine, entry); });
}

io::Task<Lsn> post_all(EngineShared& shared, std::vector<PreparedWrite>& items, SubmissionRef entry, const Effect* also) {
  for (const PreparedWrite& item : items)
    if (item.writes)
      entry->add({item.kind, item.collection.database, item.shard, item.collection.collection, item.key, item.owned.empty() ? item.body : Bytes(item.owned)});
  if (also) entry->add(*also);
  EffectReader effects(entry->effects);
  for (PreparedWrite& item : items) {
    if (!item.writes) continue;
    item.body = effects.next()->body;
    item.owned = Buffer();
  }
  co_return co_await io::call_on<Lsn>(shared.host.cores, CoreId(0), [&shared, entry] { return append_on_core_0(shared, entry); });
}

}  // namespace holdfast::core
