// Transactions: how they begin and end, and the original's operations within them, which name them among their arguments. Holdfast's own way is any
// operation on documents with `tx` in its envelope.
#include <fmt/format.h>

#include "io/wire/args.h"
#include "server/operations.h"

namespace holdfast::server {
namespace {

/// How often a tx_batch begins again that met a conflict: nothing of it has been shown to anybody.
constexpr int kAttempts = 20;

io::Task<void> within(Call& call, Handler handler) {
  Result<Bytes> id = wire::parse_tx_id(call.request.args, wire::Others::kLeft);
  if (!id) {
    call.fail(id.error());
    return {};
  }
  call.request.transaction = *id;
  return handler(call);
}

}  // namespace

io::Task<void> begin_tx(Call& call) {
  Result<wire::BeginArgs> args = wire::parse_begin(call.request.args);
  if (!args) co_return call.fail(args.error());
  auto begun = co_await call.engine().begin_transaction({.validate_reads = args->validate_reads});
  if (!begun.result) co_return call.fail(begun.result.error(), begun.lsn);
  call.answer(begun.lsn, [&](wire::ReplyWriter& reply) { reply.result().map(1).string("tx_id").string(*begun.result); });
}

io::Task<void> tx_find_one(Call& call) { return within(call, find_one); }
io::Task<void> tx_find_by_id(Call& call) { return within(call, find_by_id); }
io::Task<void> tx_insert_one(Call& call) { return within(call, insert_one); }
io::Task<void> tx_update_one(Call& call) { return within(call, update_one); }
io::Task<void> tx_delete_one(Call& call) { return within(call, delete_one); }

io::Task<void> tx_commit(Call& call) {
  Result<Bytes> id = wire::parse_tx_id(call.request.args, wire::Others::kRefused);
  if (!id) co_return call.fail(id.error());
  auto done = co_await call.engine().commit_transaction(*id, call.numbered());
  if (!done.result) co_return call.fail(done.result.error(), done.lsn);
  call.ok(done.lsn);
}

io::Task<void> tx_rollback(Call& call) {
  Result<Bytes> id = wire::parse_tx_id(call.request.args, wire::Others::kRefused);
  if (!id) co_return call.fail(id.error());
  auto done = co_await call.engine().roll_back_transaction(*id);
  if (!done.result) co_return call.fail(done.result.error(), done.lsn);
  call.ok(done.lsn);
}

// ---- A whole transaction in one request ----

namespace {

struct BatchOutcome {
  std::vector<Buffer> ids;     ///< of inserts, as values; empty for others
  std::optional<Error> error;  ///< of the operation after the last of `ids`, or of the commit
  bool at_commit = false;
  Lsn lsn;
};

io::Task<Result<Buffer>> run_operation(Call& call, core::Name name, const wire::TxBatchOperation& o) {
  switch (o.op <= UINT8_MAX ? static_cast<wire::Op>(o.op) : wire::Op::kNone) {
    case wire::Op::kInsertOne: {
      HF_CO_TRY(document, wire::parse_insert_one(o.args));
      co_return (co_await call.engine().insert_one(name, document, core::Repeat::kNever)).result;
    }
    case wire::Op::kUpdateOne:
    case wire::Op::kDeleteOne: {
      HF_CO_TRY(change, o.op == std::to_underlying(wire::Op::kUpdateOne) ? parse_update_one(call, o.args) : parse_delete_one(call, o.args));
      HF_CO_CHECK_OK((co_await call.engine().modify_one(name, change)).result);
      co_return Buffer();
    }
    default: co_return fail(Code::kUnsupported, fmt::format("tx_batch takes insert_one, update_one and delete_one, not operation {}", o.op));
  }
}

io::Task<BatchOutcome> run_batch(Call& call, wire::TxBatch batch) {
  BatchOutcome out;
  auto begun = co_await call.engine().begin_transaction({});
  out.lsn = begun.lsn;
  if (!begun.result) {
    out.error = begun.result.error();
    co_return out;
  }
  for (uint32_t i = 0; i < batch.count() && !out.error; ++i) {
    auto operation = batch.next();
    if (!operation) {
      out.error = operation.error();
      break;
    }
    auto done = co_await run_operation(call, {call.database(), operation->collection, *begun.result}, *operation);
    if (done)
      out.ids.push_back(std::move(*done));
    else
      out.error = done.error();
  }
  if (out.error) {
    (void)co_await call.engine().roll_back_transaction(*begun.result);
    co_return out;
  }
  auto committed = co_await call.engine().commit_transaction(*begun.result);
  out.lsn = committed.lsn;
  out.at_commit = true;
  if (!committed.result) out.error = committed.result.error();
  co_return out;
}

void write_batch(msgpack::Writer out, const BatchOutcome& done) {
  bool failed = done.error.has_value();
  bool one_failed = failed && !done.at_commit;
  out.map(failed ? 4 : 3).string("success").boolean(!failed);
  if (failed) out.string("error").string(done.error->text());
  out.string("rolled_back").boolean(failed);
  out.string("results").array(static_cast<uint32_t>(done.ids.size() + (one_failed ? 1 : 0)));
  for (const Buffer& id : done.ids) {
    out.map(id.empty() ? 1 : 2).string("success").boolean(true);
    if (!id.empty()) out.string("id").raw(id);
  }
  if (one_failed) out.map(2).string("success").boolean(false).string("error").string(done.error->text());
}

}  // namespace

io::Task<void> tx_batch(Call& call) {
  Result<wire::TxBatch> batch = wire::parse_tx_batch(call.request.args);
  if (!batch) co_return call.fail(batch.error());
  const uint32_t most = call.core.limits().batch_requests;
  if (batch->count() > most)
    co_return call.fail({Code::kTooLarge, fmt::format("a tx_batch of {} operations, the limit is {}; use begin_tx and tx_commit for more", batch->count(), most)});
  BatchOutcome done;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    done = co_await run_batch(call, *batch);
    if (!done.error || done.error->code != Code::kConflict) break;
  }
  call.answer(done.lsn, [&](wire::ReplyWriter& reply) { write_batch(reply.result(), done); });
}

}  // namespace holdfast::server
