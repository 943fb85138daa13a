#include "client/exchange.h"

#include "client/core.h"

namespace holdfast::client {

using msgpack::Kind;

std::unexpected<Error> not_as_described(std::string_view what) {
  return fail(Code::kInternal, "the server's answer has no " + std::string(what) + "; is it a newer or an older version?");
}

Result<msgpack::Value> field(Bytes result, std::string_view key, Kind kind) {
  auto raw = msgpack::lookup(result, key);
  msgpack::Value v;
  if (!raw || !msgpack::Cursor(*raw).next(v) || v.kind != kind) return not_as_described(key);
  return v;
}

Result<uint32_t> write_find(Buffer& out, Bytes query, const FindOptions& options) {
  HF_CHECK_OK(check_value("a query", query, Kind::kMap));
  if (!options.sort.empty()) HF_CHECK_OK(check_value("a sort", options.sort, Kind::kMap));
  if (!options.projection.empty()) HF_CHECK_OK(check_value("a projection", options.projection, Kind::kMap));
  msgpack::Writer w(out);
  w.string("query").raw(query);
  if (options.limit) w.string("limit").uint(*options.limit);
  if (options.skip > 0) w.string("skip").uint(options.skip);
  if (!options.sort.empty()) w.string("sort").raw(options.sort);
  if (!options.projection.empty()) w.string("projection").raw(options.projection);
  return 1u + options.limit.has_value() + (options.skip > 0) + !options.sort.empty() + !options.projection.empty();
}

}  // namespace holdfast::client
