// The client library: talks to one Holdfast server.
//
//     client::Client client(host, {.server = {"localhost", 6900}});
//     client::Collection cities = client.collection("cities");
//     auto inserted = co_await cities.insert_one(document);         // Result<Answer<Buffer>>: the document's _id
//     if (!inserted) ... inserted.error().text() ...
//     auto found = co_await cities.find_by_id("Riga");              // Result<Answer<optional<Buffer>>>
//     co_await client.close();
//
// With Options::login every connection is encrypted and belongs to a user. Hashing the password takes a tenth of a
// second or more of this core, once for all connections.
//
// Place in the system: above io's host interfaces and io/wire, so it runs in production and in the simulator unchanged.
// Documents, queries and ids are raw MessagePack; nothing is decoded on the way.
//
// What a result means (the reason for this library):
//  1. A value: the server did it, and committed it (sync mode: it is on disk; else see Stamp::durable_lsn).
//  2. An error with code kUnknownOutcome: a write was sent, perhaps more than once, and no answer came. It may have
//  happened,
//     or may still happen. Read before trying again, or ask with outcome() when the error names a session and a number.
//  3. Any other error: this call changed nothing. kUnreachable, kTimeout: nothing was sent, or only reads were. The
//  others are
//     the server's own words, listed in server/PROTOCOL.md. (kInternal and a server's own kTimeout are as
//     uncertain as kUnknownOutcome, and become it for writes.)
//
// Sending again: a request that was certainly not executed is sent again by itself, and so are reads, operations that a
// second execution does not harm, and changes, for they have numbers in a session and the server executes each once
// (Options::sessions; without, inserts whose every _id has the generated shape, 60 letters). Between attempts it waits, exponentially longer and with jitter. Everything ends by the
// request's deadline.
//
// Pipelining: any number of tasks may call at once. Their requests share a few connections, many under way on each;
// nothing orders them but one caller's own awaiting. Calls beyond the bounds wait for room.
//
// Core rule: a client belongs to one core; all its calls are made and awaited there. The host must outlive it. Before
// it is destroyed, close() is awaited; only a simulated crash destroys it without.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/documents.h"
#include "io/base/bytes.h"
#include "io/base/error.h"
#include "io/base/ids.h"
#include "io/base/time.h"
#include "io/host.h"
#include "io/wire/handshake.h"
#include "io/wire/operation.h"

namespace holdfast::client {

/// As whom a client connects. Every connection is then encrypted, by our own handshake (server/PROTOCOL.md).
struct LoginOptions {
  std::string user;  ///< see wire::check_user_name
  wire::SecretText
      password;  ///< leaves this process in no form that could be guessed at, if the server is the right one
  /// The server's key. Without it the first server that answers is believed, and who is not the right one can guess at
  /// the password from then on; later connections of this client must meet the same key.
  std::optional<wire::Public> server_key;
  /// Asked about a server's key besides; its error ends the attempt.
  std::function<Result<>(const wire::Public& key)> trust;
  /// Which cost of hashing the password is accepted: less would make guessing cheap, more could stop this process.
  wire::PasswordCost least{.passes = 2, .memory_kib = 32 << 10};
  wire::PasswordCost most{.passes = 16, .memory_kib = 1 << 20};
  uint8_t ciphers = wire::usual_ciphers(wire::aes_unit());
};

struct Options {
  io::Endpoint server{"localhost", 6900};
  std::optional<LoginOptions> login = std::nullopt;  ///< nothing: plaintext
  std::string database;                   ///< empty: the server's default
  size_t connections = 4;                 ///< the most that are opened; each is opened when first needed
  size_t max_in_flight = 128;             ///< requests under way per connection (the server takes 1,024)
  size_t max_unsent_bytes = 8u << 20;     ///< per connection; a single larger request still goes, alone
  Duration timeout = seconds(15);         ///< for one call, all its attempts together
  Duration connect_timeout = seconds(5);  ///< for one attempt to connect
  int max_attempts = 6;                   ///< the first one included
  Duration backoff_first = milliseconds(20);
  Duration backoff_max = seconds(2);
  /// Changes have numbers in a session, which is opened with the first of them: the server executes each once, and they may be sent again. The session is closed with the client.
  bool sessions = true;
  bool resend_inserts = true;  ///< false: inserts are sent once, whatever their ids, and without numbers
  std::vector<std::string> capabilities = {"pipelining", "lsn", "export"};  ///< told to the server on every connection
};

/// Where in the order of commits an answer stands.
struct Stamp {
  Lsn lsn;          ///< of a write: its own commit; of a read: the newest commit it rests on
  Lsn durable_lsn;  ///< everything up to here survives a power cut
  bool durable() const { return lsn <= durable_lsn; }
};

template <class T>
struct Answer : Stamp {
  T value;
};

/// Whether a request without an answer may be sent again.
enum class Resend : uint8_t { kByOperation, kAlways, kNever };

/// One request as call() takes it, and as batch() takes several.
struct Call {
  wire::Op op;
  std::string collection;
  Buffer args;           ///< one MessagePack value; empty for none
  std::string database = {};     ///< empty: that of the options
  Resend resend = Resend::kByOperation;
  std::string transaction = {};  ///< within which it is executed; empty: none
};

struct Updated {
  uint64_t matched = 0;
  uint64_t modified = 0;
  std::optional<Buffer> upserted = std::nullopt;  ///< the `_id`, a raw value, of the document that an upsert inserted
};

/// How find_and_modify() goes about it. Sort and projection as in FindOptions.
struct FindAndModifyOptions {
  Buffer update;        ///< what to make of it; empty: it is removed
  Buffer array_filters; ///< as in UpdateOptions
  Buffer sort;          ///< which of those that match comes first; empty: any
  Buffer projection;    ///< of the document that is returned
  bool upsert = false;  ///< when none matches, insert one, as upsert_one() does
  bool after = false;   ///< return what it has become, rather than what it was
};

struct FoundAndModified : Updated {
  std::optional<Buffer> document;
};

struct VerifyPart {
  std::vector<std::string> damage;
  uint64_t records = 0;
  uint64_t bytes = 0;
  uint64_t shards_done = 0;
  uint64_t shards = 0;
  Buffer cursor;  ///< empty: that was the last part
};

/// What of the documents that match is answered. Sort and projection are MessagePack maps (core/OPERATORS.md); empty: none.
struct FindOptions {
  std::optional<uint64_t> limit;
  uint64_t skip = 0;
  Buffer sort;  ///< `{path: 1 or -1, …}`
  Buffer projection;
};

struct UpdateOptions {
  Buffer array_filters;  ///< an array of queries, one for each `$[identifier]` of the update; empty: none
};

struct TransactionOptions {
  /// What it reads must be unchanged when it commits, as if it had written it (of queries: the documents that were found).
  bool validate_reads = false;
};

class Collection;
class Core;
class Transaction;

class Client {
 public:
  Client(io::Host& host, Options options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Ends all connections and waits for that. Calls under way, and later ones, get kClosed or kUnknownOutcome.
  /// Idempotent.
  io::Task<void> close();

  /// A handle; nothing is sent. `database` empty: that of the options.
  Collection collection(std::string name, std::string database = "");

  io::Task<Result<Stamp>> ping();
  /// The server's self-description, a map (PROTOCOL.md, hello).
  io::Task<Result<Answer<Buffer>>> hello();
  /// A map of figures (PROTOCOL.md, stats).
  io::Task<Result<Answer<Buffer>>> stats();
  /// One part of a verification (PROTOCOL.md, verify); `cursor` empty: the first.
  io::Task<Result<Answer<VerifyPart>>> verify(Buffer cursor, uint64_t bytes);
  /// Returns once everything acknowledged before, to anyone, is durable.
  io::Task<Result<Stamp>> flush();

  /// Lets `name` log in from now on; the password does not leave this process. Errors: kDuplicateKey.
  io::Task<Result<Stamp>> add_user(std::string name, wire::SecretText password, wire::Role role,
                                   wire::PasswordCost cost = {});
  /// Gives it another password, and ends its connections. Errors: kNotFound.
  io::Task<Result<Stamp>> change_password(std::string name, wire::SecretText password, wire::PasswordCost cost = {});
  /// Lets it log in no more, and ends its connections. Errors: kNotFound.
  io::Task<Result<Stamp>> remove_user(std::string name);
  struct UserInfo {
    std::string name;
    std::string role;
    std::string kept;  ///< "stored" or "--username"
  };
  io::Task<Result<Answer<std::vector<UserInfo>>>> list_users();

  io::Task<Result<Answer<bool>>> database_exists(std::string name);
  io::Task<Result<Answer<std::vector<std::string>>>> list_databases();
  /// Of `database`; empty: that of the options.
  io::Task<Result<Answer<std::vector<std::string>>>> list_collections(std::string database = "");

  /// What became of a change whose outcome was unknown: its LSN; nothing: it has not been executed, so far (a late attempt may still be on its way). Executes
  /// nothing. Errors: kUnknownOutcome: the server does not remember any more; kSessionUnknown: nor the session.
  io::Task<Result<Answer<std::optional<Lsn>>>> outcome(uint64_t session, uint64_t number);

  /// Begins a transaction; it ends by itself when it is not used for 60 s.
  io::Task<Result<Transaction>> begin(TransactionOptions options = {});

  /// Executes the calls in order in one request, each as if made alone (not a transaction), and returns an answer for
  /// each. Sent again only when every call may be.
  io::Task<Result<std::vector<Result<Answer<Buffer>>>>> batch(std::vector<Call> calls);

  /// Any operation; the answer's value is the raw `result`, empty when there is none.
  io::Task<Result<Answer<Buffer>>> call(Call call);

  /// Sixty random letters: an `_id` whose insert may be sent again.
  std::string generate_id();

  const Options& options() const;

 private:
  friend class Collection;
  std::shared_ptr<Core> core_;
};

/// How much of a stream one answer brings; 0: as the server chooses.
struct PageSize {
  uint64_t documents = 0;
  uint64_t bytes = 0;  ///< about
};

/// Documents of one snapshot of a collection, page by page: any number of them in the memory of a page.
class DocumentStream {
 public:
  /// The next page, never an empty one; nothing at the end. After an error the same page may be asked for again; after
  /// kCursorExpired or kSnapshotTooOld only a new stream helps.
  io::Task<Result<std::optional<Documents>>> next();
  /// The snapshot's position, once the first page is there.
  Lsn lsn() const { return lsn_; }

 private:
  friend class Collection;
  std::shared_ptr<Core> core_;
  wire::Op op_ = wire::Op::kStream;  ///< or kExport
  std::string collection_;
  std::string database_;
  Result<> wrong_;  ///< why nothing can be asked
  Buffer asked_;    ///< the pairs of its args, but for the cursor
  uint32_t pairs_ = 0;
  Buffer cursor_;
  Lsn lsn_;
  bool started_ = false;
  bool ended_ = false;
};

/// One collection of one database. Cheap to copy; lives no longer than its client is open.
class Collection {
 public:
  /// Inserts a document (one map). Without `_id` it gets a generated one, put first. The value is its `_id`, a raw
  /// value. Errors: kDuplicateKey when the id is taken.
  io::Task<Result<Answer<Buffer>>> insert_one(Buffer document) const;
  /// All or nothing, in one commit. The values are their ids in the same order.
  io::Task<Result<Answer<std::vector<Buffer>>>> insert_many(std::vector<Buffer> documents) const;

  /// By a string id; nothing when there is none.
  io::Task<Result<Answer<std::optional<Buffer>>>> find_by_id(std::string id) const;
  /// By an id of any kind: one raw value.
  io::Task<Result<Answer<std::optional<Buffer>>>> find_by_id_value(Buffer id) const;
  io::Task<Result<Answer<std::optional<Buffer>>>> find_one(Buffer query) const;
  /// Errors: kTooLarge when all of it passes 50 MiB; stream() has no such bound.
  io::Task<Result<Answer<Documents>>> find(Buffer query, FindOptions options = {}) const;

  /// What find() finds, page by page. With a sort the server goes through all that match again for every 8 MiB.
  DocumentStream stream(Buffer query, FindOptions options = {}, PageSize page = {}) const;

  /// Changes one document that matches. Matching none is no error.
  io::Task<Result<Answer<Updated>>> update_one(Buffer filter, Buffer update, UpdateOptions options = {}) const;
  /// All documents that match at one moment, in one commit: all or none.
  io::Task<Result<Answer<Updated>>> update_many(Buffer filter, Buffer update, UpdateOptions options = {}) const;
  /// As update_one(); when nothing matches, inserts what the filter's equalities and the update make.
  io::Task<Result<Answer<Updated>>> upsert_one(Buffer filter, Buffer update, UpdateOptions options = {}) const;
  /// As update_many(); when nothing matches, inserts one.
  io::Task<Result<Answer<Updated>>> upsert_many(Buffer filter, Buffer update, UpdateOptions options = {}) const;
  /// Deletes one document that matches; the value is 1, or 0 when none did.
  io::Task<Result<Answer<uint64_t>>> delete_one(Buffer filter) const;
  /// Deletes all documents that match at one moment, in one commit; the value is how many.
  io::Task<Result<Answer<uint64_t>>> delete_many(Buffer filter) const;
  /// Updates or removes the first document that matches, and returns it.
  io::Task<Result<Answer<FoundAndModified>>> find_and_modify(Buffer filter, FindAndModifyOptions options) const;

  io::Task<Result<Answer<uint64_t>>> count() const;
  io::Task<Result<Answer<uint64_t>>> count(Buffer query) const;

  io::Task<Result<Answer<bool>>> exists() const;
  io::Task<Result<Stamp>> create() const;
  io::Task<Result<Stamp>> drop() const;

  /// Reads one snapshot in parts of about `bytes` (0: the server chooses), in no particular order.
  DocumentStream export_all(uint64_t bytes = 0) const;

  const std::string& name() const { return name_; }

 private:
  friend class Client;
  friend class Transaction;
  struct Ops;
  io::Task<Result<Answer<Buffer>>> call(wire::Op op, Buffer args, Resend resend = Resend::kByOperation) const;
  /// Like call, but what is not there is an empty answer.
  io::Task<Result<Answer<Buffer>>> lookup(wire::Op op, Buffer args) const;
  /// Of which nothing is asked yet.
  DocumentStream stream_by(wire::Op op) const;
  std::shared_ptr<Core> core_;
  std::string name_;
  std::string database_;
  std::string transaction_;
};

/// A transaction: reads at one snapshot, with its own writes over it, which others see all at once when it has committed. Its writes do not wait for anybody,
/// and lock nothing; who changes a document first wins, and the other's commit gets kConflict: begin again, with everything that was read. Cheap to copy; calls
/// of one transaction are executed one after the other.
class Transaction {
 public:
  /// Collections within it: whatever finds, counts, inserts, changes or deletes documents. Its writes are never sent again by themselves: after kUnknownOutcome
  /// roll back. Errors besides their own: kTxUnknown (it has ended), kSnapshotTooOld.
  Collection collection(std::string name, std::string database = "") const;

  /// The stamp's LSN is that of all its writes; of its snapshot when there are none. Sent again until there is an answer; the server remembers the outcome for 60 s.
  /// Errors: kConflict and others: nothing of it has happened. kUnknownOutcome as for any write. kTxUnknown: it has ended before, or the server has started since.
  io::Task<Result<Stamp>> commit() const;
  /// Also one that was rolled back already, for whatever reason.
  io::Task<Result<Stamp>> rollback() const;

  /// What it reads: every commit up to here, and its own writes.
  Lsn snapshot() const { return snapshot_; }
  const std::string& id() const { return id_; }

 private:
  friend class Client;
  std::shared_ptr<Core> core_;
  std::string id_;
  Lsn snapshot_;
};

}  // namespace holdfast::client
