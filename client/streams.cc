// Results and exports page by page.
#include "client/core.h"
#include "client/exchange.h"

namespace holdfast::client {

using msgpack::Kind;
using wire::Op;

namespace {

/// A page as stream and export answer it.
struct Page {
  Documents documents;
  Buffer cursor;  ///< empty: the last
  Lsn lsn;
};

io::Task<Result<Page>> fetch_page(std::shared_ptr<Core> core, Call call) {
  HF_CO_TRY(answer, co_await core->call(std::move(call)));
  HF_CO_TRY(lsn, field(answer.value, "lsn", Kind::kUint));
  Page page{.documents = {}, .cursor = {}, .lsn = Lsn(lsn.u)};
  if (auto docs = msgpack::lookup(answer.value, "docs")) page.documents = Documents(Buffer(*docs));
  if (auto cursor = field(answer.value, "cursor", Kind::kBinary)) page.cursor = Buffer(cursor->bytes);
  co_return page;
}

}  // namespace

DocumentStream Collection::stream_by(Op op) const {
  DocumentStream stream;
  stream.core_ = core_;
  stream.op_ = op;
  stream.collection_ = name_;
  stream.database_ = database_;
  if (!transaction_.empty()) stream.wrong_ = fail(Code::kUnsupported, "a stream has a snapshot of its own: within a transaction use find()");
  return stream;
}

DocumentStream Collection::stream(Buffer query, FindOptions options, PageSize page) const {
  DocumentStream stream = stream_by(Op::kStream);
  Result<uint32_t> pairs = write_find(stream.asked_, query, options);
  if (!pairs) {
    stream.wrong_ = fail(pairs);
    return stream;
  }
  stream.pairs_ = *pairs + (page.documents > 0) + (page.bytes > 0);
  msgpack::Writer w(stream.asked_);
  if (page.documents > 0) w.string("page").uint(page.documents);
  if (page.bytes > 0) w.string("bytes").uint(page.bytes);
  return stream;
}

DocumentStream Collection::export_all(uint64_t bytes) const {
  DocumentStream stream = stream_by(Op::kExport);
  stream.pairs_ = bytes > 0;
  if (bytes > 0) msgpack::Writer(stream.asked_).string("bytes").uint(bytes);
  return stream;
}

io::Task<Result<std::optional<Documents>>> DocumentStream::next() {
  HF_CO_CHECK_OK(wrong_);
  while (!ended_) {
    Buffer args;
    msgpack::Writer w(args);
    w.map(pairs_ + !cursor_.empty()).raw(asked_);
    if (!cursor_.empty()) w.string("cursor").binary(cursor_);
    HF_CO_TRY(page, co_await fetch_page(core_, {.op = op_, .collection = collection_, .args = std::move(args), .database = database_}));
    if (started_ && page.lsn != lsn_) co_return fail(Code::kInternal, "the server changed the snapshot of a stream; start it again");
    lsn_ = page.lsn;
    started_ = true;
    ended_ = page.cursor.empty();
    cursor_ = std::move(page.cursor);
    if (!page.documents.empty()) co_return std::move(page.documents);
  }
  co_return std::nullopt;
}

}  // namespace holdfast::client
