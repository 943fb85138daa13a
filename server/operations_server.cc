#include <fmt/format.h>

#include "io/wire/args.h"
#include "server/operations.h"
#include "server/version.h"

namespace holdfast::server {
namespace {

// What each reply that is still to come may need in a batch: an error with a long sentence.
constexpr size_t kReplyReserve = 1280;
constexpr uint32_t kRequestsPerTurn = 64;

// The replies within a batch.
class Collected final : public Answers {
 public:
  explicit Collected(Buffer text) : text_(std::move(text)) {}
  Buffer* open() override { return &text_; }
  bool is_whole() const override { return true; }
  void written(size_t, Room) override {}
  Buffer& text() { return text_; }

 private:
  Buffer text_;
};

io::Task<void> run_inner(Call& inner, Bytes request) {
  if (Result<> parsed = wire::parse_request(request, inner.request); !parsed) co_return inner.fail(parsed.error());
  if (inner.request.op == wire::Op::kBatch)
    co_return inner.fail({Code::kBadRequest, "a batch may not hold another batch; send its requests themselves"});
  if (io::Task<void> work = begin(inner)) co_await std::move(work);
}

// A flat map whose size is known at its end.
class FlatMap {
 public:
  void add(std::string_view name, uint64_t value) { pair(name).uint(value); }
  void add(std::string_view name, std::string_view value) { pair(name).string(value); }
  void write_to(msgpack::Writer out) const { out.map(pairs_).raw(text_); }

 private:
  msgpack::Writer pair(std::string_view name) {
    ++pairs_;
    return msgpack::Writer(text_).string(name);
  }
  Buffer text_;
  uint32_t pairs_ = 0;
};

std::string_view mode_name(core::SyncMode mode) { return mode == core::SyncMode::kSync ? "sync" : "async"; }

void add_engine(FlatMap& out, const core::EngineStats& engine) {
  uint64_t documents = 0;
  for (const core::CollectionStats& c : engine.collections) documents += c.documents;
  out.add("sync_mode", mode_name(engine.mode));
  out.add("shards", engine.shard_count);
  out.add("lsn", engine.committed.value);
  out.add("durable_lsn", engine.durable.value);
  out.add("checkpoint_lsn", engine.checkpoint.value);
  out.add("checkpoints", engine.checkpoints);
  out.add("journal_bytes", engine.journal_bytes);
  out.add("tail_bytes", engine.tail_bytes);
  out.add("read_only", engine.read_only ? 1 : 0);
  out.add("stalled", engine.stalled ? 1 : 0);
  out.add("open_transactions", engine.open_transactions);
  out.add("damaged_documents", engine.damaged_documents);
  out.add("damaged_shards", engine.damaged_shards ? 1 : 0);
  out.add("collections", engine.collections.size());
  out.add("documents", documents);
}

void add_metrics(FlatMap& out, const Metrics& m) {
  out.add("connections", m.connections);
  out.add("connections_accepted", m.connections_accepted);
  out.add("connections_refused", m.connections_refused);
  out.add("connections_stalled", m.connections_stalled);
  out.add("connections_late", m.connections_late);
  out.add("handshakes", m.handshakes);
  out.add("handshakes_refused", m.handshakes_refused);
  out.add("logins_failed", m.logins_failed);
  out.add("requests", m.requests);
  out.add("requests_under_way", m.requests_under_way);
  out.add("bytes_received", m.bytes_received);
  out.add("bytes_sent", m.bytes_sent);
  out.add("bytes_in_flight", m.bytes_in_flight);
  for (size_t op = 0; op < m.by_op.size(); ++op)
    if (const wire::OpInfo* known = m.by_op[op] ? wire::info(static_cast<wire::Op>(op)) : nullptr)
      out.add(fmt::format("requests_{}", known->name), m.by_op[op]);
  for (size_t code = 0; code < m.by_error.size(); ++code)
    if (m.by_error[code]) out.add(fmt::format("errors_{}", info(static_cast<Code>(code)).name), m.by_error[code]);
}

}  // namespace

io::Task<void> batch(Call& call) {
  Result<wire::Batch> parsed = wire::parse_batch(call.request.args);
  if (!parsed) co_return call.fail(parsed.error());
  uint32_t count = parsed->count();
  const uint32_t most = call.core.limits().batch_requests;
  if (count > most)
    co_return call.fail(
        {Code::kTooLarge, fmt::format("a batch of {} requests, the limit is {}; send less at once", count, most)});
  Collected replies(call.core.buffers.take());
  Lsn newest = call.engine().committed_lsn();
  uint32_t done = 0;
  for (Bytes request; parsed->next(request);) {
    ++done;
    size_t spoken_for = replies.text().size() + (count - done + 1) * kReplyReserve;
    Call inner{.core = call.core,
               .answers = replies,
               .access = call.access,
               .framing = wire::ReplyWriter::Framing::kNested,
               .reply_limit = call.reply_limit > spoken_for ? call.reply_limit - spoken_for : kReplyReserve,
               .batch = &call};
    call.gathered = replies.text().size();
    if (call.gathered > call.core.limits().first_answer && !inner.try_reserve(0)) co_await inner.reserve(0);
    co_await run_inner(inner, request);
    newest = std::max(newest, inner.lsn);
    if (done % kRequestsPerTurn == 0) co_await io::yield();
  }
  call.answer(
      newest,
      [&](wire::ReplyWriter& reply) {
        reply.result().map(2).string("is_batch").boolean(true).string("responses").array(count).raw(replies.text());
      },
      replies.text().size());
  call.core.buffers.give(std::move(replies.text()));
}

io::Task<void> flush(Call& call) {
  auto done = co_await call.engine().flush();
  if (!done.result) co_return call.fail(done.result.error(), done.lsn);
  call.ok(done.lsn);
}

io::Task<void> hello(Call& call) {
  Result<wire::HelloArgs> args = wire::parse_hello(call.request.args);
  if (!args) co_return call.fail(args.error());
  call.answer(call.engine().committed_lsn(), [&](wire::ReplyWriter& reply) {
    msgpack::Writer out = reply.result();
    out.map(8).string("server").string("holdfast").string("version").string(kVersion);
    out.string("protocol").uint(kProtocol);
    out.string("capabilities").array(7).string("pipelining").string("lsn").string("export").string("verify").string("stream");
    out.string("transactions").string("sessions");
    out.string("database").string(call.core.config().default_database);
    out.string("sync_mode").string(mode_name(call.core.facts().mode));
    out.string("max_request").uint(call.core.limits().request_bytes).string("max_reply").uint(wire::kMaxReplyPayload);
  });
}

io::Task<void> ping(Call& call) {
  call.ok(call.engine().committed_lsn());
  co_return;
}

io::Task<void> verify(Call& call) {
  Result<wire::ExportArgs> args = wire::parse_export(call.request.args);
  if (!args) co_return call.fail(args.error());
  const Limits& limits = call.core.limits();
  uint64_t bytes = args->bytes == 0 ? limits.export_part_bytes : std::min(args->bytes, limits.export_part_bytes_max);
  auto page = co_await call.engine().verify_page(args->cursor, bytes);
  if (!page.result) co_return call.fail(page.result.error(), page.lsn);
  const core::VerifyPage& part = *page.result;
  call.answer(page.lsn, [&](wire::ReplyWriter& reply) {
    msgpack::Writer out = reply.result();
    out.map(part.cursor.empty() ? 5 : 6).string("records").uint(part.records).string("bytes").uint(part.bytes);
    out.string("shards_done").uint(part.shards_done).string("shards").uint(part.shards);
    if (!part.cursor.empty()) out.string("cursor").binary(part.cursor);
    out.string("damage").array(static_cast<uint32_t>(part.damage.size()));
    for (const std::string& sentence : part.damage) out.string(sentence);
  });
}

io::Task<void> stats(Call& call) {
  auto engine = co_await call.engine().stats();
  if (!engine.result) co_return call.fail(engine.result.error(), engine.lsn);
  Metrics metrics = co_await call.core.total_metrics();
  const ServerFacts& facts = call.core.facts();
  FlatMap out;
  out.add("server", "holdfast");
  out.add("version", kVersion);
  out.add("uptime_seconds", static_cast<uint64_t>((facts.host.clock.now() - facts.started).ns / seconds(1).ns));
  out.add("cores", facts.host.cores.count());
  add_engine(out, *engine.result);
  add_metrics(out, metrics);
  call.answer(engine.lsn, [&](wire::ReplyWriter& reply) { out.write_to(reply.result()); });
}

}  // namespace holdfast::server
