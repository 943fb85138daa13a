// EngineImpl: the engine's one implementation, shared by the sources that make it up: engine_open.cc (opening and stopping), engine_catalog.cc (names and
// collections), engine.cc (reading), transactions.h (what is asked within a transaction), engine_modify.cc (changing one document) and engine_many.cc (several as one entry). Nobody else includes this; see engine.h for what it promises.
#pragma once

#include "core/checkpointer.h"
#include "core/cursors.h"
#include "core/data_directory.h"
#include "core/document.h"
#include "core/engine_core.h"
#include "core/outcome.h"
#include "core/transactions.h"

namespace holdfast::core {

/// Requests that modify many documents hold what they make of them in memory, up to kMaxEntryEffects each: so many at a time, the others wait.
inline constexpr uint64_t kManyAtOnce = 16;
/// How often a request looks again when others have changed what it had found.
inline constexpr int kAttempts = 100;

template <class T, class R>
Reply<T> refuse(R&& failed) {
  return {fail(std::forward<R>(failed)), Lsn()};
}

class EngineImpl final : public Engine, private JournalSink {
 public:
  EngineImpl(io::Host& host, EngineOptions options, OpenedDirectory directory);

  io::Task<Result<>> recover();
  void start();

  io::Task<Result<>> stop() override;
  io::Task<Error> failed() override;
  io::Task<Reply<Buffer>> insert_one(Name name, Bytes document, Repeat repeat) override;
  io::Task<Reply<std::vector<Buffer>>> insert_many(Name name, std::vector<Bytes> documents, Repeat repeat) override;
  io::Task<Reply<std::optional<Buffer>>> find_by_id(Name name, Bytes id) override;
  io::Task<Reply<std::vector<Buffer>>> find(Name name, const Find& find, FindBounds bounds) override;
  io::Task<Reply<uint64_t>> count(Name name, const Query& query) override;
  io::Task<Reply<Modified>> modify_one(Name name, const Modification& change) override;
  io::Task<Reply<Modified>> modify_many(Name name, const Modification& change) override;
  io::Task<Reply<Buffer>> begin_transaction(TransactionOptions options) override;
  io::Task<Reply<Lsn>> commit_transaction(std::string_view id, Numbered request) override;
  io::Task<Reply<bool>> roll_back_transaction(std::string_view id) override;
  io::Task<Reply<uint64_t>> open_session() override;
  io::Task<Reply<bool>> close_session(uint64_t session) override;
  io::Task<Reply<std::optional<SessionOutcome>>> request_outcome(Numbered request) override;
  io::Task<Reply<bool>> create_collection(Name name) override;
  io::Task<Reply<bool>> drop_collection(Name name) override;
  io::Task<Reply<bool>> database_exists(std::string_view database) override;
  io::Task<Reply<bool>> collection_exists(Name name) override;
  io::Task<Reply<std::vector<std::string>>> list_databases() override;
  io::Task<Reply<std::vector<std::string>>> list_collections(std::string_view database) override;
  io::Task<Reply<IndexCensus>> create_index(Name name, const IndexSpec& index) override;
  io::Task<Reply<bool>> drop_index(Name name, std::string_view index) override;
  io::Task<Reply<std::vector<IndexSpec>>> list_indexes(Name name) override;
  io::Task<Reply<IndexCensus>> index_census(Name name, std::string_view index) override;
  io::Task<Reply<EngineStats>> stats() override;
  io::Task<Reply<bool>> flush() override;
  io::Task<Reply<DocumentPage>> stream_page(Name name, const Find& find, StreamPosition from) override;
  io::Task<Reply<DocumentPage>> export_page(Name name, Bytes cursor, uint64_t max_bytes) override;
  io::Task<Reply<VerifyPage>> verify_page(Bytes cursor, uint64_t max_bytes) override;
  io::Task<Result<>> settle_loss() override;
  Lsn committed_lsn() const override { return shared_.committed_lsn(); }
  Lsn durable_lsn() const override { return Lsn(shared_.durable.load(std::memory_order_acquire)); }

 private:
  friend class Transactions;
  using OptionalRef = std::optional<CollectionRef>;
  struct Created {
    Result<> result;
    Lsn lsn;
  };

  // JournalSink, on core 0.
  void committed(std::span<const EntryRef> entries, Lsn durable) override;
  void durable(Lsn durable) override;
  void failed(Error error) override;
  void disk_full(bool full) override;

  io::Task<EngineCore*> up_to_date(Lsn after);
  /// What a read that comes now must see at least.
  Lsn read_lsn();
  struct Named {
    OptionalRef ref;
    Lsn lsn;  ///< what that rests on
  };
  io::Task<Named> lookup(Name name, Lsn after);
  io::Task<Result<CollectionRef>> resolve(Name name);
  io::Task<Created> create_on_core_0(std::string database, std::string collection);
  io::Task<Created> create_index_on_core_0(CollectionRef c, IndexSpec index);
  io::Task<Created> drop_index_on_core_0(CollectionRef c, std::string index);
  io::Task<Result<IndexCensus>> census(CollectionRef c, Lsn snapshot, const IndexSpec& index);
  io::Task<Reply<bool>> drop_on_core_0(std::string database, std::string collection, Numbered request);
  io::Task<Result<>> admit_write();
  /// `execute()` gives the task. A request that has a number is executed only if it has not been.
  template <class T, class F>
  io::Task<Reply<T>> once(Numbered request, F execute) {
    return request.any() ? once_numbered<T>(request, std::move(execute)) : execute();
  }
  template <class T, class F>
  io::Task<Reply<T>> once_numbered(Numbered request, F execute);
  EngineCore& keeper(uint64_t session, CoreId& core) const;
  /// The effect that says how a request came out, to go with what it changes.
  struct Noted {
    std::optional<Effect> effect;
    std::unique_ptr<Buffer> body;
    const Effect* get() const { return effect ? &*effect : nullptr; }
  };
  Noted note(const Numbered& request, Bytes outcome) const;
  io::Task<Lsn> post_on_core_0(SubmissionRef entry);
  io::Task<void> close_unused_sessions();
  /// `ask(transactions)` gives the task, on core 0.
  template <class T, class F>
  io::Task<Reply<T>> in_transaction(F ask) {
    return io::call_on<Reply<T>>(host_.cores, CoreId(0), [this, ask] { return ask(*transactions_); });
  }
  template <class T, class F>
  io::Task<Evaluated<T>> at_shard(ShardId shard, F evaluate);
  /// A snapshot of what has that name at its LSN; it is open only when there is something.
  io::Task<Named> open_snapshot(Name name);
  io::Task<void> close_snapshot(Lsn snapshot);
  static io::Task<bool> close_on(EngineCore& core, Lsn snapshot);
  io::Task<Result<std::vector<EngineCore::Found>>> scan(CollectionRef c, Lsn snapshot, const Find& find, FindBounds bounds, EngineCore::Hidden hidden = nullptr);
  io::Task<Reply<std::vector<Buffer>>> find_by_key(Name name, const Find& find);
  // What the public ones of like names do, once it is clear that they are to be executed, and not within a transaction.
  io::Task<Reply<Buffer>> insert_document(Name name, Bytes document, Repeat repeat);
  io::Task<Reply<std::vector<Buffer>>> insert_documents(Name name, std::vector<Bytes> documents, Repeat repeat);
  io::Task<Reply<Modified>> modify_document(Name name, const Modification& change);
  io::Task<Reply<Modified>> modify_documents(Name name, const Modification& change);
  io::Task<Reply<bool>> drop(Name name);
  io::Task<Reply<Modified>> modify_by_key(Name name, const Modification& change);
  io::Task<std::optional<Reply<Modified>>> try_first(Name name, const Modification& change);
  io::Task<Reply<Modified>> modify_first(Name name, const Modification& change);
  /// A lock that requests with the same query take one after the other, each until it ends it. Who waits for one holds nothing else.
  struct Turn {
    CoreId at;
    Overlay::Locked lock;
  };
  io::Task<Turn> take_turn(CollectionRef c, const Query& query);
  io::Task<void> end_turn(Turn turn);
  using ModifyThere = io::Task<Reply<Modified>> (EngineImpl::*)(Name name, const Modification& change);
  /// `modify`, and when nothing matches, an insert. Upserts with the same query take turns, so that two never both insert.
  io::Task<Reply<Modified>> upsert_in_turn(Name name, const Modification& change, ModifyThere modify);
  static io::Task<bool> end_turn_on(EngineCore& core, Overlay::Locked turn);
  io::Task<Evaluated<Modified>> insert_upserted(Numbered request, CollectionRef c, const Modification& change);
  Result<CheckedDocument> check_insert(Bytes document, Buffer& owned);
  Result<std::vector<PreparedWrite>> check_batch(const std::vector<Bytes>& documents, std::deque<Buffer>& owned,
                                                  std::vector<Buffer>& ids);
  io::Task<Evaluated<bool>> insert_all(CollectionRef c, std::vector<PreparedWrite>& items, Repeat repeat, const Effect* also);
  io::Task<Reply<Modified>> modify_all(Name name, const Modification& change);
  io::Task<Result<EngineCore::Changes>> scan_changes(CollectionRef c, Lsn snapshot, const Modification& change, EngineCore::Hidden hidden = nullptr);
  struct Locking;
  bool covers(Locking& held, std::vector<PreparedWrite>& writes) const;
  io::Task<Evaluated<bool>> lock_all(Locking& held, std::vector<PreparedWrite> writes, Lsn snapshot);
  io::Task<void> unlock_all(Locking& held, SubmissionRef entry);
  io::Task<void> write_half(Locking& held);
  io::Task<bool> take_many_turn();
  io::Task<bool> end_many_turn();
  io::Task<EngineStats> stats_on_core_0();
  io::Task<void> verify_counts(VerifyPage& page);
  io::Task<Result<>> adopt_copy(bool clean);
  io::Task<void> run_checkpointer();
  io::Task<void> housekeeping();
  io::Task<void> watch_disk();
  io::Task<void> run_core(EngineCore& core, io::Message ended);
  void fail_on_core_0(Error error);

  io::Host& host_;
  OpenedDirectory directory_;
  EngineShared shared_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<Cursors> cursors_;
  std::unique_ptr<Transactions> transactions_;
  const Find everything_;
  io::Semaphore many_turns_{kManyAtOnce};  // core 0: requests over several documents that may be under way
  io::Semaphore catalog_turn_{1};  // core 0: one catalog change at a time, and commits that rest on there being none
  io::Event stopping_;
  size_t running_ = 0;  // tasks of ours on core 0, and the loops of all cores
  io::WaitList ended_;
  std::optional<Error> failure_;
  io::WaitList failure_changed_;
};

template <class T, class F>
io::Task<Reply<T>> EngineImpl::once_numbered(Numbered request, F execute) {
  CoreId at;
  EngineCore& core = keeper(request.session, at);
  auto begun = co_await io::call_on<Evaluated<std::optional<SessionOutcome>>>(
      host_.cores, at, [&core, request, after = committed_lsn()] { return core.begin_numbered(request, after); });
  if (!begun.result) co_return Reply<T>{fail(begun.result), begun.lsn};
  if (const auto& before = *begun.result) co_return Reply<T>{decode_outcome<T>(*before), before->lsn};
  Reply<T> done = co_await execute();
  co_await io::call_on<bool>(host_.cores, at, [&core, request, lsn = done.lsn] { return core.end_numbered(request, lsn); });
  co_return done;
}

template <class T, class F>
io::Task<Evaluated<T>> EngineImpl::at_shard(ShardId shard, F evaluate) {
  EngineCore& core = *shared_.cores[shared_.core_of(shard).value];
  co_return co_await io::call_on<Evaluated<T>>(host_.cores, shared_.core_of(shard), [&core, evaluate] { return evaluate(core); });
}

}  // namespace holdfast::core
