// Journal: the one ordered log of all changes, and the only thing that a commit waits for.
//
// Place in the system: the engine appends entries; the journal gives each its LSN, writes all that wait as one group, syncs once, and
// reports them committed in LSN order. Belongs to one core (core 0). Files: journal/<seq>, see FORMAT.md.
//
// Invariants
//  1. An entry is reported committed only when the policy holds: its bytes were handed to the operating system (async), or synced (sync).
//  2. LSNs are dense. Committed entries form a prefix; what survives a crash is a prefix that, in sync mode, contains every committed entry.
//  3. A group starts on a 4 KiB block of its own and is never rewritten; a segment is never truncated in place.
//  4. `durable_lsn` never passes what a completed sync covers, and a group header repeats it: the proof that recovery relies on.
//  5. After a failed write or sync nothing more is committed (fail-stop): sink.failed() is called once.
//
// Crash behaviour: at any instant the files hold a chain of groups whose unproven end may be torn in any way. Recovery follows the chain
// of hashes, cuts what is bad and unproven (keeping the bytes in journal/torn-<seq>), condemns or refuses what is bad and proven (naming file,
// offset, LSN and ids), and copies the valid but unproven end into a fresh segment, synced, before believing it.
#pragma once

#include <span>
#include <string>

#include "core/entry.h"
#include "io/base/hash.h"
#include "io/base/time.h"
#include "io/host.h"

namespace holdfast::core {

enum class SyncMode : uint8_t { kSync, kAsync };

/// Identity of the log: in every segment header and under every group's checksum.
struct JournalIdentity {
  uint64_t cluster_id = 0;
  uint64_t server_id = 0;
};

struct JournalOptions {
  SyncMode mode = SyncMode::kSync;
  uint64_t segment_bytes = uint64_t{64} << 20;  ///< multiple of 4096, at least 8192; a larger group gets a segment of its own size
  uint64_t group_bytes_max = uint64_t{4} << 20;  ///< entries beyond this wait for the next group; one larger entry forms a group alone
  Duration async_lag_max = milliseconds(100);    ///< async: no committed entry stays unsynced longer …
  uint64_t async_lag_bytes_max = uint64_t{8} << 20;  ///< … nor more bytes than these; at either bound commits wait
  Duration seal_after = milliseconds(10);            ///< quiet time after which `durable_lsn` is sealed
  bool accept_loss = false;  ///< repair: where proven bytes are bad and cannot be gone over, the log ends; a note says what is lost
};

/// The end of a group with entries: everything through `lsn` lies before it. What a checkpoint records, and where replay starts. Once a journal was
/// opened from an older position than the newest recorded one (its MANIFEST being damaged), the newer one is void for good.
struct JournalPosition {
  Lsn lsn;
  Hash128 chain;       ///< chain hash of the group that ends here; of the log's start: zero
  SegmentSeq segment;  ///< where the next group is looked for first
  uint64_t offset = 0;
  bool operator==(const JournalPosition&) const = default;
};

/// Told what the journal did; called on the journal's core, from its tasks. Must not wait.
class JournalSink {
 public:
  virtual ~JournalSink() = default;
  /// These entries, in LSN order and without gaps since the last call, are committed; `durable` is the durable LSN at this moment.
  virtual void committed(std::span<const EntryRef> entries, Lsn durable) = 0;
  /// The durable LSN moved without a commit (async mode).
  virtual void durable(Lsn durable) = 0;
  /// The journal has stopped for good; entries not yet reported committed have an unknown outcome.
  virtual void failed(Error error) = 0;
  /// There is no room for a spare segment (true), or there is again (false). Entries already taken still find room or wait for it.
  virtual void disk_full(bool full) = 0;
};

/// Receives the entries that recovery found, in LSN order.
class ReplaySink {
 public:
  virtual ~ReplaySink() = default;
  virtual io::Task<Result<>> replay(EntryRef entry) = 0;
  /// An entry that was durable and whose effects cannot be read any more: LSN and touched are known. An error ends the opening.
  virtual io::Task<Result<>> condemned(EntryRef entry) = 0;
};

class Journal {
 public:
  virtual ~Journal() = default;

  struct Opened;
  /// Opens the journal in `directory` (which exists), recovers it from `base` on, and replays every surviving entry after base.lsn into `replay`.
  /// Ensures: everything replayed is durable before the first replay call; a fresh, synced segment is ready for appending.
  /// Proven bytes that are bad: where the headers around them tell what is lost, the entries concerned are condemned (ReplaySink), a note names
  /// file, offset, LSN and what they touch, and the rest is served; otherwise kCorrupt, naming the same. Further errors: kIo, kDiskFull.
  static io::Task<Result<Opened>> open(io::Host& host, std::string directory, JournalIdentity identity, JournalOptions options,
                                       JournalPosition base, ReplaySink& replay);

  /// Starts the writer; `sink` outlives the journal's tasks.
  virtual void start(JournalSink& sink) = 0;

  /// Takes an entry, assigns its LSN and queues it. Never waits: admission bounds what is queued. Requires: effects <= kMaxEntryEffects, started.
  virtual Lsn append(std::shared_ptr<Entry> entry) = 0;

  virtual Lsn last_lsn() const = 0;       ///< of the newest entry taken
  virtual Lsn committed_lsn() const = 0;  ///< reported committed through here
  virtual Lsn durable_lsn() const = 0;    ///< survives a power cut through here

  /// Returns when everything committed before the call is durable. kShuttingDown or the fatal error when that will not happen.
  virtual io::Task<Result<>> flush() = 0;

  /// The newest group boundary whose LSN is at most `limit` and at least the base's. Requires that limit is at least the LSN last released and at
  /// most durable_lsn().
  virtual JournalPosition boundary_at(Lsn limit) const = 0;
  /// Bytes written to groups after `position` (padding included): what a checkpoint up to now would free.
  virtual uint64_t bytes_since(const JournalPosition& position) const = 0;
  /// Removes the segments that lie wholly before `position`. Call it only after a MANIFEST that makes them needless is durable, and with the position
  /// of the older of the last two.
  virtual io::Task<Result<>> release_before(JournalPosition position) = 0;

  /// Commits what was taken, syncs, writes the clean-shutdown seal and ends the tasks. Nothing may be appended afterwards.
  virtual io::Task<Result<>> stop() = 0;
};

struct Journal::Opened {
  std::unique_ptr<Journal> journal;
  Lsn last;                         ///< newest entry replayed (or base.lsn)
  bool clean = false;               ///< the log ended in a clean-shutdown seal
  std::vector<std::string> notes;   ///< what recovery cut or found odd, one sentence each, for the log
};

}  // namespace holdfast::core
