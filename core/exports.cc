#include "core/exports.h"

#include "core/gather.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

constexpr size_t kTokenBytes = 24;
/// Idle for so long, an export may have to make way for a new one.
constexpr Duration kAbandoned = seconds(30);

}  // namespace

Buffer Exports::token(uint64_t id, uint64_t page) const {
  Buffer b;
  append_le(b, incarnation_);
  append_le(b, id);
  append_le(b, page);
  return b;
}

io::Task<Result<ExportPage>> Exports::page(Of of, Buffer cursor, uint64_t max_bytes) {
  drop_idle();
  if (cursor.empty()) {
    HF_CO_TRY(begun, co_await begin(std::move(of)));
    if (!begun.id) co_return ExportPage{{}, {}, begun.snapshot};
    co_return co_await serve(*begun.id, 1, max_bytes);
  }
  if (cursor.size() != kTokenBytes) co_return fail(Code::kBadRequest, "this is no cursor of an export");
  ByteReader in(cursor);
  auto incarnation = in.le<uint64_t>();
  auto id = in.le<uint64_t>();
  auto page = in.le<uint64_t>();
  if (incarnation != incarnation_) co_return fail(Code::kCursorExpired, "the server was restarted since: begin the export again");
  co_return co_await serve(id, page, max_bytes);
}

void Exports::make_room() {
  if (exports_.size() < shared_.options.max_exports) return;
  auto better = [](const Export& a, const Export& b) { return std::pair(a.holds_snapshot, a.used.ns) < std::pair(b.holds_snapshot, b.used.ns); };
  auto victim = exports_.end();
  for (auto at = exports_.begin(); at != exports_.end(); ++at)
    if (at->second.users == 0 && (victim == exports_.end() || better(at->second, victim->second))) victim = at;
  if (victim == exports_.end()) return;
  Export& e = victim->second;
  if (e.holds_snapshot && shared_.host.clock.now() - e.used < kAbandoned) return;
  SOMETIMES(true, "export-makes-way");
  let_snapshot_go(victim->first, e);
  exports_.erase(victim);
}

/// Names are resolved at the snapshot, so that an export holds what had the name then.
io::Task<Result<Exports::Begun>> Exports::begin(Of of) {
  make_room();
  if (exports_.size() >= shared_.options.max_exports)
    co_return fail(Code::kOverloaded, "too many exports are open: end one, or wait until one has been idle long enough");
  uint64_t id = ++last_id_;
  Export& e = exports_[id];
  e.used = shared_.host.clock.now();
  ++e.users;
  auto opened = co_await gather<std::optional<CollectionRef>>(shared_, [of = std::move(of)](EngineCore& core) {
    std::optional<CollectionRef> ref = core.catalog().collection(of.database, of.collection);
    if (ref) core.open_snapshot(core.applied());
    return ref;
  });
  --e.users;
  const std::optional<CollectionRef>& ref = opened.values[0];
  if (!ref) {
    exports_.erase(id);
    co_return Begun{std::nullopt, opened.lsn};
  }
  e.collection = *ref;
  e.snapshot = opened.lsn;
  e.holds_snapshot = true;
  co_return Begun{id, opened.lsn};
}

io::Task<Result<ExportPage>> Exports::serve(uint64_t id, uint64_t page, uint64_t max_bytes) {
  auto at = exports_.find(id);
  if (at == exports_.end()) co_return fail(Code::kCursorExpired, "the export was idle too long: begin it again");
  Export& e = at->second;
  ++e.users;
  co_await e.turn.acquire(1);
  Result<> ready;
  SOMETIMES(page == e.page, "export-page-asked-twice");
  if (page == e.page + 1 && (e.page == 0 || !e.newest.cursor.empty()))
    ready = co_await advance(id, e, max_bytes);
  else if (page != e.page)
    ready = fail(Code::kCursorExpired, "only the newest page of an export can be asked for again: begin it again");
  Result<ExportPage> answer = ready ? Result<ExportPage>(e.newest) : Result<ExportPage>(fail(ready));
  e.used = shared_.host.clock.now();
  e.turn.release(1);
  --e.users;
  co_return answer;
}

io::Task<Result<>> Exports::advance(uint64_t id, Export& e, uint64_t max_bytes) {
  while (e.core < shared_.cores.size() && e.gathered_bytes < max_bytes) {
    EngineCore& core = *shared_.cores[e.core];
    auto part = co_await io::call_on<Result<EngineCore::ExportPart>>(
        shared_.host.cores, CoreId(static_cast<uint16_t>(e.core)),
        [&core, id, c = e.collection, s = e.snapshot, i = e.shard_index, left = max_bytes - e.gathered_bytes] {
          return core.export_part(id, c, s, i, left);
        });
    if (!part) {
      SOMETIMES(!e.gathered.empty(), "export-read-failed-within-a-page");
      co_return fail(part);
    }
    for (Buffer& d : part->documents) {
      e.gathered_bytes += d.size();
      e.gathered.push_back(std::move(d));
    }
    if (part->shard_done) ++e.shard_index;
    if (part->core_done) {
      ++e.core;
      e.shard_index = 0;
    }
  }
  ExportPage page;
  page.snapshot = e.snapshot;
  page.documents = std::exchange(e.gathered, {});
  e.gathered_bytes = 0;
  ++e.page;
  if (e.core < shared_.cores.size())
    page.cursor = token(id, e.page + 1);
  else
    let_snapshot_go(id, e);
  e.newest = std::move(page);
  co_return Result<>();
}

void Exports::let_snapshot_go(uint64_t id, Export& e) {
  if (!std::exchange(e.holds_snapshot, false)) return;
  for (uint16_t k = 0; k < shared_.cores.size(); ++k)
    shared_.host.cores.send(CoreId(0), CoreId(k), [&core = *shared_.cores[k], id, snapshot = e.snapshot] {
      core.end_export(id);
      core.close_snapshot(snapshot);
    });
}

void Exports::drop_idle() {
  Time now = shared_.host.clock.now();
  for (auto at = exports_.begin(); at != exports_.end();) {
    Export& e = at->second;
    // One that has given its last page stays a little, for whoever asks for that page again.
    Duration idle = e.holds_snapshot ? shared_.options.export_idle : seconds(15);
    if (e.users == 0 && now - e.used > idle) {
      let_snapshot_go(at->first, e);
      at = exports_.erase(at);
    } else {
      ++at;
    }
  }
}

}  // namespace holdfast::core
