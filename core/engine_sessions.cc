// Sessions, and requests that are executed once: what concerns the whole engine. The states of sessions are session_table.h.
#include "core/engine_impl.h"
#include "core/gather.h"
#include "io/base/probe.h"

namespace holdfast::core {

namespace {
/// Sessions that one look closes at most on each core.
constexpr size_t kCloseAtOnce = 1000;
}  // namespace

EngineCore& EngineImpl::keeper(uint64_t session, CoreId& core) const {
  core = shared_.core_of(session_shard(session, shared_.settings.shard_count));
  return *shared_.cores[core.value];
}

EngineImpl::Noted EngineImpl::note(const Numbered& request, Bytes outcome) const {
  Noted out;
  out.body = std::make_unique<Buffer>();
  out.effect = outcome_effect(request, outcome, host_.clock.wall(), shared_.settings.shard_count, *out.body);
  return out;
}

/// Returns when the entry is applied here.
io::Task<Lsn> EngineImpl::post_on_core_0(SubmissionRef entry) {
  shared_.journal->append(entry);
  co_await entry->applied.wait();
  co_return entry->lsn;
}

io::Task<Reply<uint64_t>> EngineImpl::open_session() {
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<uint64_t>(admitted);
  uint64_t id = 0;
  while (id == 0) id = host_.random.entropy64();
  auto entry = std::make_shared<Submission>(CoreId(0));
  Buffer body;
  entry->add(open_effect(id, host_.clock.wall(), shared_.settings.shard_count, body));
  Lsn lsn = co_await io::call_on<Lsn>(host_.cores, CoreId(0), [this, entry] { return post_on_core_0(entry); });
  co_return Reply<uint64_t>{id, lsn};
}

io::Task<Reply<bool>> EngineImpl::close_session(uint64_t session) {
  if (Result<> admitted = co_await admit_write(); !admitted) co_return refuse<bool>(admitted);
  CoreId at;
  EngineCore& core = keeper(session, at);
  auto there = co_await io::call_on<Evaluated<std::optional<SessionOutcome>>>(
      host_.cores, at, [&core, session, after = committed_lsn()] { return core.ask_numbered({.session = session, .number = UINT64_MAX}, after); });
  if (!there.result && there.result.error().code == Code::kSessionUnknown) co_return Reply<bool>{false, there.lsn};
  auto entry = std::make_shared<Submission>(CoreId(0));
  Buffer body;
  entry->add(close_effect(session, shared_.settings.shard_count, body));
  Lsn lsn = co_await io::call_on<Lsn>(host_.cores, CoreId(0), [this, entry] { return post_on_core_0(entry); });
  co_return Reply<bool>{true, lsn};
}

io::Task<Reply<std::optional<SessionOutcome>>> EngineImpl::request_outcome(Numbered request) {
  CoreId at;
  EngineCore& core = keeper(request.session, at);
  auto asked = co_await io::call_on<Evaluated<std::optional<SessionOutcome>>>(
      host_.cores, at, [&core, request, after = committed_lsn()] { return core.ask_numbered(request, after); });
  co_return Reply<std::optional<SessionOutcome>>{std::move(asked.result), asked.lsn};
}

/// Those that no request has come from for a day. By the wall clock of now and of then: one that was set wrong closes sessions early or late, which does no
/// harm but that outcomes are unknown.
io::Task<void> EngineImpl::close_unused_sessions() {
  if (!co_await admit_write()) co_return;
  WallTime before{host_.clock.wall().ns - kSessionLife.ns};
  auto unused = co_await gather<std::vector<uint64_t>>(shared_, [before](EngineCore& core) { return core.sessions().unused_since(before, kCloseAtOnce); });
  auto entry = std::make_shared<Submission>(CoreId(0));
  for (const auto& ids : unused.values)
    for (uint64_t id : ids) {
      SOMETIMES(true, "session-unused-for-a-day");
      Buffer body;
      entry->add(close_effect(id, shared_.settings.shard_count, body));
    }
  if (!entry->effects.empty()) co_await post_on_core_0(entry);
}

}  // namespace holdfast::core
