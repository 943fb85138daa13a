// Operations: what each request does. One handler per operation: it reads the arguments, asks the engine, and answers.
//
// To add one: its number in io/wire/operation.h, its arguments in io/wire/args.h, its handler in one of the
// operations_*.cc, a line in the table of operations.cc, its row in PROTOCOL.md.
#pragma once

#include "io/wire/args.h"
#include "server/call.h"

namespace holdfast::server {

/// Begins the operation that `call.request` asks for: the task to await, which borrows `call` and the request's bytes;
/// or nothing, when the call has been answered already.
io::Task<void> begin(Call& call);

using Handler = io::Task<void> (*)(Call&);

// operations_documents.cc
io::Task<void> insert_one(Call& call);
io::Task<void> insert_many(Call& call);
io::Task<void> find_one(Call& call);
io::Task<void> find(Call& call);
io::Task<void> find_by_id(Call& call);
io::Task<void> count(Call& call);
io::Task<void> find_many_count(Call& call);
io::Task<void> find_paginated(Call& call);

// operations_streams.cc
io::Task<void> stream(Call& call);
io::Task<void> find_many_stream(Call& call);
io::Task<void> export_part(Call& call);

// operations_modify.cc
io::Task<void> update_one(Call& call);
io::Task<void> update_many(Call& call);
io::Task<void> delete_one(Call& call);
io::Task<void> delete_many(Call& call);
io::Task<void> upsert_one(Call& call);
io::Task<void> upsert_many(Call& call);
io::Task<void> find_and_modify(Call& call);

/// Refuses a `tx_id` among the arguments of what is executed outside that transaction.
Result<> check_tx_id(const Call& call, Bytes tx_id);

/// What a find asks for, compiled. What is not offered is refused rather than ignored.
Result<core::Find> compile_find(const Call& call, const wire::QueryArgs& asked);

// operations_indexes.cc
io::Task<void> create_index(Call& call);
io::Task<void> drop_index(Call& call);
io::Task<void> list_indexes(Call& call);
io::Task<void> rebuild_index(Call& call);

// operations_sessions.cc
io::Task<void> open_session(Call& call);
io::Task<void> close_session(Call& call);
io::Task<void> request_outcome(Call& call);

// operations_transactions.cc
io::Task<void> tx_batch(Call& call);
io::Task<void> begin_tx(Call& call);
io::Task<void> tx_find_one(Call& call);
io::Task<void> tx_find_by_id(Call& call);
io::Task<void> tx_insert_one(Call& call);
io::Task<void> tx_update_one(Call& call);
io::Task<void> tx_delete_one(Call& call);
io::Task<void> tx_commit(Call& call);
io::Task<void> tx_rollback(Call& call);

/// The arguments of update_one and delete_one, compiled.
Result<core::Modification> parse_update_one(const Call& call, Bytes args);
Result<core::Modification> parse_delete_one(const Call& call, Bytes args);

// operations_catalog.cc
io::Task<void> drop(Call& call);
io::Task<void> create_collection(Call& call);
io::Task<void> database_exists(Call& call);
io::Task<void> collection_exists(Call& call);
io::Task<void> list_databases(Call& call);
io::Task<void> list_collections(Call& call);

// operations_server.cc
io::Task<void> batch(Call& call);
io::Task<void> flush(Call& call);
io::Task<void> hello(Call& call);
io::Task<void> ping(Call& call);
io::Task<void> stats(Call& call);
io::Task<void> verify(Call& call);

// operations_users.cc
io::Task<void> user_add(Call& call);
io::Task<void> user_remove(Call& call);
io::Task<void> user_passwd(Call& call);
io::Task<void> user_list(Call& call);

}  // namespace holdfast::server
