// Sessions: how they begin and end, and what became of a request. How requests are executed once is the engine's (core/session_table.h).
#include "io/wire/args.h"
#include "server/operations.h"

namespace holdfast::server {

io::Task<void> open_session(Call& call) {
  auto opened = co_await call.engine().open_session();
  if (!opened.result) co_return call.fail(opened.result.error(), opened.lsn);
  call.answer(opened.lsn, [&](wire::ReplyWriter& reply) { reply.result().map(1).string("session").uint(*opened.result); });
}

io::Task<void> close_session(Call& call) {
  Result<wire::SessionArgs> args = wire::parse_session(call.request.args);
  if (!args) co_return call.fail(args.error());
  auto closed = co_await call.engine().close_session(args->session);
  if (!closed.result) co_return call.fail(closed.result.error(), closed.lsn);
  call.ok(closed.lsn);
}

io::Task<void> request_outcome(Call& call) {
  Result<wire::SessionArgs> args = wire::parse_session(call.request.args);
  if (!args) co_return call.fail(args.error());
  auto asked = co_await call.engine().request_outcome({.session = args->session, .number = args->number});
  if (!asked.result) co_return call.fail(asked.result.error(), asked.lsn);
  call.answer(asked.lsn, [&](wire::ReplyWriter& reply) {
    msgpack::Writer out = reply.result();
    const auto& outcome = *asked.result;
    out.map(outcome ? 2 : 1).string("executed").boolean(outcome.has_value());
    if (outcome) out.string("at").uint(outcome->lsn.value);
  });
}

}  // namespace holdfast::server
