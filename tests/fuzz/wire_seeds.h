// Requests as clients send them, for the fuzzers of the wire to start from.
#pragma once

#include <vector>

#include "io/wire/request.h"

namespace holdfast::wire {

inline Buffer insert_many_args() {
  Buffer blob;
  msgpack::Writer(blob).map(1).string("_id").string("a");
  size_t first = blob.size();
  msgpack::Writer(blob).map(2).string("n").uint(1).string("_id").string("b");
  Buffer args;
  msgpack::Writer(args)
      .map(3)
      .string("ids")
      .array(2)
      .string("a")
      .string("")
      .string("blob")
      .binary(blob)
      .string("offsets")
      .array(3)
      .uint(0)
      .uint(first)
      .uint(blob.size());
  return args;
}

inline Buffer request(Op op, Bytes args) {
  Buffer out;
  RequestWriter w(out, {.id = 7, .op = op, .database = "db", .collection = "things", .no_reply = op == Op::kDrop});
  w.args().raw(args);
  (void)w.end();
  return out;
}

/// Whole frames.
inline std::vector<Buffer> requests() {
  Buffer query, update, batch, find_by_id, stream;
  msgpack::Writer(query).map(2).string("query").map(1).string("a").uint(1).string("limit").uint(5);
  msgpack::Writer(update).map(2).string("filter").map(0).string("update").map(1).string("$inc").map(1).string("n").uint(
      1);
  msgpack::Writer(find_by_id).map(1).string("id").string("a");
  msgpack::Writer(stream).map(5).string("query").map(0).string("sort").map(1).string("a").integer(-1).string("cursor").binary(
      "xyz").string("page").uint(3).string("bytes").uint(99);
  Buffer inner = request(Op::kPing, "\x80").substr(kFrameHeaderSize);
  msgpack::Writer(batch).map(1).string("requests").array(2).raw(inner).raw(inner);
  return {request(Op::kInsertMany, insert_many_args()), request(Op::kFind, query),  request(Op::kUpdateOne, update),
          request(Op::kFindById, find_by_id),           request(Op::kBatch, batch), request(Op::kDrop, "\xc0"),
          request(Op::kStream, stream)};
}

}  // namespace holdfast::wire
