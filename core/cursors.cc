#include "core/cursors.h"

#include <algorithm>

#include "core/gather.h"
#include "core/id_key.h"
#include "core/page_heap.h"
#include "io/base/probe.h"

namespace holdfast::core {
namespace {

/// A sorted page that has much to skip skips so many bytes at once.
constexpr uint64_t kSkipBytes = 16 << 20;

std::unexpected<Error> of_another_stream() {
  return fail(Code::kBadRequest, "this cursor is of another stream: send the database, collection, query, sort, skip, limit and projection that it began with");
}

uint64_t minus(uint64_t a, uint64_t b) { return a - std::min(a, b); }
uint64_t plus(uint64_t a, uint64_t b) { return b > UINT64_MAX - a ? UINT64_MAX : a + b; }

}  // namespace

io::Task<Result<DocumentPage>> Cursors::page(Ask ask) {
  bool skips = ask.find->sort.any() && ask.find->skip > 0;
  uint64_t bytes = std::min(std::max(ask.bytes, skips ? kSkipBytes : 0), shared_.options.pages_bytes);
  SOMETIMES(room_.free() < bytes, "page-waits-for-room");
  co_await room_.acquire(bytes);
  auto page = co_await page_in_room(ask);
  room_.release(bytes);
  co_return page;
}

io::Task<Result<DocumentPage>> Cursors::page_in_room(const Ask& ask) {
  drop_idle();
  if (!ask.cursor.empty()) {
    HF_CO_TRY(at, take_token(ask));
    co_return co_await serve(std::move(at), ask);
  }
  HF_CO_TRY(begun, co_await begin(ask));
  if (!begun.id) co_return DocumentPage{{}, {}, begun.snapshot};
  CursorToken first{.incarnation = incarnation_, .cursor = *begun.id, .sorted = ask.find->sort.any()};
  auto page = co_await serve(std::move(first), ask);
  // Nobody has a token of it.
  if (!page || page->cursor.empty()) drop(*begun.id);
  co_return page;
}

Result<CursorToken> Cursors::take_token(const Ask& ask) const {
  HF_TRY(at, CursorToken::parse(ask.cursor));
  if (at.incarnation != incarnation_ && !MUTANT("cursor-survives-its-server")) return fail(Code::kCursorExpired, "the server was restarted since: begin again, without a cursor");
  // Tokens can be made up.
  bool fits = at.sorted == ask.find->sort.any() && (at.id_key.empty() || ask.find->sort.is_key(at.sort_key));
  if (!fits) return of_another_stream();
  return at;
}

/// Names are resolved at the snapshot, so that a stream shows what had the name then.
io::Task<Result<Cursors::Begun>> Cursors::begin(const Ask& ask) {
  make_room();
  if (cursors_.size() >= shared_.options.max_cursors)
    co_return fail(Code::kOverloaded, "too many cursors are open: read one to its end, or wait until one has been idle long enough");
  uint64_t id = ++last_id_;
  Cursor& c = cursors_[id];
  c.database = ask.database;
  c.name = ask.collection;
  c.fingerprint = ask.fingerprint;
  c.begun = c.used = shared_.host.clock.now();
  ++c.users;
  auto opened = co_await gather<std::optional<CollectionRef>>(shared_, [d = ask.database, name = ask.collection](EngineCore& core) {
    std::optional<CollectionRef> ref = core.catalog().collection(d, name);
    if (ref) core.open_snapshot(core.applied());
    return ref;
  });
  const std::optional<CollectionRef>& ref = opened.values[0];
  c.snapshot = opened.lsn;
  if (!ref) {
    cursors_.erase(id);
    co_return Begun{std::nullopt, opened.lsn};
  }
  c.collection = *ref;
  c.begun_all = c.holds_snapshot = true;
  if (MUTANT("cursor-snapshot-let-go-early")) let_snapshot_go(id, c);
  leave(id, c);
  co_return Begun{id, opened.lsn};
}

// ---- Pages ----

io::Task<Result<DocumentPage>> Cursors::serve(CursorToken at, const Ask& ask) {
  uint64_t id = at.cursor;
  auto found = cursors_.find(id);
  if (found == cursors_.end() || !found->second.begun_all) co_return fail(Code::kCursorExpired, "the cursor was idle too long: begin again, without a cursor");
  Cursor& c = found->second;
  bool same = c.database == ask.database && c.name == ask.collection && c.fingerprint == ask.fingerprint;
  if (!same && !MUTANT("cursor-of-another-query")) co_return of_another_stream();
  if (c.too_old) co_return fail(Code::kSnapshotTooOld, "what the cursor shows is no longer kept: begin again, without a cursor");
  SOMETIMES(c.users > 0, "pages-of-one-cursor-at-once");
  enter(id, c);
  auto page = co_await make_page(std::move(at), c, ask);
  if (page && page->cursor.empty()) c.done = true;
  c.used = shared_.host.clock.now();
  leave(id, c);
  co_return page;
}

io::Task<Result<DocumentPage>> Cursors::make_page(CursorToken at, const Cursor& c, const Ask& ask) {
  DocumentPage page;
  page.snapshot = c.snapshot;
  uint64_t limit = ask.find->limit, left = limit == 0 ? UINT64_MAX : minus(limit, at.answered);
  if (left == 0) co_return page;
  uint64_t most = std::min(left, ask.documents == 0 ? UINT64_MAX : ask.documents);
  HF_CO_TRY(more, ask.find->sort.any() ? co_await sort(at, c, ask, most, page.documents) : co_await scan(at, c, ask, most, page.documents));
  at.answered += page.documents.size();
  SOMETIMES(more && page.documents.empty(), "page-empty-but-not-the-last");
  if (more && page.documents.size() < left) page.cursor = at.encode();
  co_return page;
}

Lsn Cursors::reads_at(const Cursor& c) const { return MUTANT("cursor-reads-newest") ? shared_.committed_lsn() : c.snapshot; }

/// True: there may be more.
io::Task<Result<bool>> Cursors::scan(CursorToken& at, const Cursor& c, const Ask& ask, uint64_t most, std::vector<Buffer>& out) {
  uint64_t skip = minus(ask.find->skip, at.skipped);
  EngineCore::ScanPage page{.cursor = at.cursor,
                            .collection = c.collection,
                            .snapshot = reads_at(c),
                            .find = ask.find,
                            .shard_index = at.shard_index,
                            .from = at.ordinal,
                            .skip = skip,
                            .documents = most,
                            .bytes = std::max<uint64_t>(ask.bytes, 1),
                            .scan_bytes = std::max<uint64_t>(shared_.options.page_scan_bytes, 1)};
  while (at.core < shared_.cores.size()) {
    EngineCore& core = *shared_.cores[at.core];
    HF_CO_TRY(through, co_await io::call_on<Result<bool>>(shared_.host.cores, CoreId(at.core), [&core, &page] { return core.scan_page(page); }));
    if (!through) break;
    ++at.core;
    page.shard_index = 0;
    page.from = Ordinal();
  }
  at.shard_index = static_cast<uint16_t>(page.shard_index);
  at.ordinal = page.from;
  if (MUTANT("cursor-page-overlaps") && at.ordinal != Ordinal()) --at.ordinal.value;
  at.skipped += skip - page.skip;
  out = std::move(page.found);
  co_return at.core < shared_.cores.size();
}

io::Task<Result<PageAhead::Run>> Cursors::pass(const CursorToken& at, const Cursor& c, const Ask& ask, uint64_t skip, uint64_t most, uint64_t bytes) {
  // Who reads on will go on reading; who asks for the first page may not.
  bool reads_on = !at.id_key.empty() && skip == 0;
  uint64_t room = reads_on ? ahead_.reserve() : 0;
  uint64_t documents = room > bytes ? UINT64_MAX : plus(skip, most);
  PageHeap heap(*ask.find, at.sort_key, at.id_key, documents, std::max({bytes, room, skip == 0 ? 0 : kSkipBytes}));
  for (uint16_t k = 0; k < shared_.cores.size(); ++k) {
    EngineCore& core = *shared_.cores[k];
    auto told = co_await io::call_on<Result<bool>>(shared_.host.cores, CoreId(k), [&core, &heap, collection = c.collection, s = reads_at(c), &ask] {
      return core.sort_page(collection, s, ask.find->query, heap);
    });
    if (told) continue;
    ahead_.release(room);
    co_return fail(told);
  }
  PageAhead::Run run{.cursor = at.cursor, .sort_key = {}, .id_key = {}, .more = heap.left_out(), .bytes = room};
  run.found = heap.take();
  co_return run;
}

/// True: there is more. A run that ends within the page is followed by another one, so that a page does not depend on what was kept.
io::Task<Result<bool>> Cursors::sort(CursorToken& at, const Cursor& c, const Ask& ask, uint64_t most, std::vector<Buffer>& out) {
  const uint64_t skip = minus(ask.find->skip, at.skipped), bytes = std::max<uint64_t>(ask.bytes, 1);
  bool more = true;
  for (uint64_t size = 0; more && out.size() < most && size < bytes;) {
    std::optional<PageAhead::Run> run = skip == 0 ? ahead_.take(at.cursor, at.sort_key, at.id_key) : std::nullopt;
    SOMETIMES(run.has_value(), "page-found-ahead");
    SOMETIMES(!run && !out.empty(), "page-goes-on-behind-what-was-kept");
    if (!run) {
      HF_CO_TRY(made, co_await pass(at, c, ask, skip, most, bytes));
      run = std::move(made);
    }
    std::vector<EngineCore::Found>& found = run->found;
    size_t end = std::min<uint64_t>(skip, found.size());
    at.skipped += end;
    for (; end < found.size() && out.size() < most && size < bytes; ++end) {
      size += PageHeap::size_of(found[end]);
      out.push_back(std::move(found[end].body));
    }
    more = run->more || end < found.size();
    if (end > 0) {
      at.id_key = std::move(found[end - 1].key);
      at.sort_key = std::move(found[end - 1].sort_key);
      found.erase(found.begin(), found.begin() + static_cast<ptrdiff_t>(end));
    }
    if (run->bytes > 0) {
      run->id_key = at.id_key;
      run->sort_key = at.sort_key;
      ahead_.keep(std::move(*run));
    }
    // One pass is enough for a page that skips.
    if (skip > 0 || MUTANT("page-ends-with-what-was-kept")) break;
  }
  co_return more;
}

// ---- Lives of cursors ----

void Cursors::enter(uint64_t id, Cursor& c) {
  if (c.users++ == 0) idle_.erase(place(id, c));
}

void Cursors::leave(uint64_t id, Cursor& c) {
  if (--c.users > 0) return;
  idle_.insert(place(id, c));
  if (c.too_old) let_snapshot_go(id, c);
}

void Cursors::drop(uint64_t id) {
  auto at = cursors_.find(id);
  if (at == cursors_.end() || at->second.users > 0) return;
  idle_.erase(place(id, at->second));
  let_snapshot_go(id, at->second);
  cursors_.erase(at);
}

void Cursors::make_room() {
  if (cursors_.size() < shared_.options.max_cursors || idle_.empty()) return;
  auto [open, used, id] = *idle_.begin();
  if (open && shared_.host.clock.now().ns - used < shared_.options.cursor_abandoned.ns) return;
  SOMETIMES(true, "cursor-makes-way");
  drop(id);
}

void Cursors::drop_idle() {
  int64_t now = shared_.host.clock.now().ns;
  auto drop_first_of = [&](bool open, Duration idle) {
    for (auto at = idle_.lower_bound({open, INT64_MIN, 0}); at != idle_.end() && std::get<0>(*at) == open && now - std::get<1>(*at) > idle.ns;
         at = idle_.lower_bound({open, INT64_MIN, 0})) {
      SOMETIMES(open, "cursor-idle-too-long");
      drop(std::get<2>(*at));
    }
  };
  drop_first_of(false, shared_.options.cursor_done);
  drop_first_of(true, shared_.options.cursor_idle);
  let_old_go();
}

void Cursors::age(uint64_t id, Cursor& c) {
  if (std::exchange(c.too_old, true)) return;
  SOMETIMES(true, "snapshot-too-old");
  if (c.users == 0) let_snapshot_go(id, c);
}

void Cursors::let_old_go() {
  Time now = shared_.host.clock.now();
  for (auto at = cursors_.upper_bound(aged_through_); at != cursors_.end() && now - at->second.begun > shared_.options.snapshot_age; ++at) {
    aged_through_ = at->first;
    age(at->first, at->second);
  }
}

void Cursors::let_snapshot_go(uint64_t id, Cursor& c) {
  if (!std::exchange(c.holds_snapshot, false)) return;
  ahead_.forget(id);
  for (uint16_t k = 0; k < shared_.cores.size(); ++k)
    shared_.host.cores.send(CoreId(0), CoreId(k), [&core = *shared_.cores[k], id, snapshot = c.snapshot] { core.end_cursor(id, snapshot); });
}

io::Task<void> Cursors::tidy() {
  drop_idle();
  auto young = [](const auto& c) { return c.second.holds_snapshot && !c.second.too_old; };
  if (std::ranges::none_of(cursors_, young)) co_return;
  auto history = co_await gather<uint64_t>(shared_, [](EngineCore& core) { return core.history_bytes(); });
  uint64_t bytes = 0;
  for (uint64_t b : history.values) bytes += b;
  if (bytes <= shared_.options.history_bytes) co_return;
  // The older half: in a few looks none is left, if need be.
  auto many = std::ranges::count_if(cursors_, young);
  for (auto left = (many + 1) / 2; auto& [id, c] : cursors_) {
    if (left == 0) break;
    if (!c.holds_snapshot || c.too_old) continue;
    SOMETIMES(true, "snapshot-costs-too-much");
    age(id, c);
    --left;
  }
}

}  // namespace holdfast::core
