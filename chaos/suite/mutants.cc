// The planted bugs. Each is a MUTANT("name") somewhere in the code; this table says where it is expected to be caught.
#include <array>

#include "chaos/suite/suite.h"

namespace holdfast::chaos {
namespace {

constexpr std::string_view kSync = "durability-sync";
constexpr std::string_view kAsync = "durability-async";
constexpr std::string_view kUpdates = "updates";

constexpr std::array kMutants = {
    // The journal.
    Mutant{"retry-after-sync-error", "1", kSync, "a failed sync is tried again instead of stopping"},
    Mutant{"ack-before-sync", "2", kSync, "an entry is acknowledged before its sync"},
    Mutant{"sync-before-write", "3", kSync, "the sync begins before the write has completed"},
    Mutant{"sync-previous-segment", "3", kSync, "after a rotation the previous segment is synced"},
    Mutant{"no-dir-sync-after-segment", "4", kSync, "a new segment's directory is not synced"},
    Mutant{"checksum-misses-payload", "6", kSync, "the group's checksum does not cover its entries"},
    Mutant{"continue-after-bad-group", "7", kAsync, "recovery goes on after a bad group"},
    Mutant{"corrupt-cut-as-torn", "8", "bit-flips", "proven bytes that are bad are cut like a torn tail"},
    Mutant{"trust-page-cache-at-open", "47", kSync, "recovery believes what it reads without syncing it"},
    Mutant{"believe-tail-after-sync", "47", kSync, "the unproven tail is believed after a sync alone"},
    Mutant{"cut-tail-comes-back", "45", kAsync, "groups that were cut come back: the chain is not checked"},
    Mutant{"valid-group-is-proof", "46", kAsync, "a valid group without proof is taken for proof"},
    Mutant{"group-shares-block", "44", kSync, "a group shares a block with the durable one before it"},
    Mutant{"short-write-counts-as-done", "13", kSync, "a short write counts as done"},
    Mutant{"async-reports-more-durable", "own", kAsync, "the durable LSN is taken after the sync instead of before"},
    Mutant{"seal-claims-too-much", "own", kAsync, "a seal claims what no sync has covered"},
    Mutant{"repair-believes-its-shard-too-early", "15", "bit-flips", "a repair names the shard that it wrote anew before that is durable"},
    Mutant{"quarantine-misses-reads", "own", "bit-flips", "a document whose newest version is damaged is answered from an older one"},
    Mutant{"quarantine-misses-scans", "own", "bit-flips", "a scan leaves out a document whose newest version is damaged"},
    // Files that are gone, another's or older.
    Mutant{"segment-of-another-cluster-accepted", "35", "wrong-disks",
           "a segment of another cluster is taken for one that was torn"},
    Mutant{"missing-segment-unnoticed", "own", "wrong-disks",
           "nobody asks whether the segment that the log was in is there"},
    Mutant{"older-segment-accepted", "own", "wrong-disks",
           "the log goes on behind a position that its segment has not reached"},
    Mutant{"manifest-of-another-cluster-accepted", "own", "wrong-disks",
           "a MANIFEST of another cluster is taken for the own"},
    Mutant{"missing-shard-file-is-empty", "own", "wrong-disks", "a shard whose file is gone is taken for an empty one"},
    Mutant{"older-shard-file-accepted", "own", "wrong-disks", "a shard's file is believed as far as it reaches"},
    Mutant{"first-start-empties-a-database", "own", "wrong-disks",
           "an older HOLDFAST makes the next start empty the directory"},
    // Checkpoints.
    // A durable MANIFEST is itself the proof of what it covers: this shows only once that MANIFEST is damaged.
    Mutant{"checkpoint-skips-journal-sync", "42", "enumerate checkpoint-async", "a MANIFEST covers what the journal has not synced"},
    Mutant{"checkpoint-skips-data-sync", "42", kSync, "a MANIFEST is written before the data that it names is synced"},
    Mutant{"checkpoint-directory-unsynced", "42", kSync, "a new shard file's directory is not synced"},
    Mutant{"checkpoint-releases-before-manifest", "42", kSync, "segments go before the MANIFEST is durable"},
    Mutant{"manifest-not-synced", "42", kSync, "segments go though the MANIFEST was never synced"},
    Mutant{"manifest-directory-not-synced", "42", kSync, "segments go though the MANIFEST's name was never synced"},
    Mutant{"flush-beyond-cut", "43", kSync, "a data file runs ahead of the checkpoint's LSN"},
    Mutant{"flush-shares-block", "44", "enumerate checkpoint-sync", "a checkpoint's records share a block with durable ones"},
    Mutant{"settings-renamed-before-sync", "5", kSync, "HOLDFAST is renamed before it is synced"},
    // Recovery, crashed and tried again.
    Mutant{"initialized-before-manifest", "own", "enumerate first-start-sync", "a directory calls itself complete before its first MANIFEST is durable"},
    Mutant{"settings-gone-before-remains", "own", "enumerate first-start", "HOLDFAST is made anew while a segment of an unfinished first start is still there"},
    Mutant{"settings-both-slots-at-stake", "own", "enumerate convert-sync", "the other slot of HOLDFAST is written while the one that was read may be in the page cache alone"},
    Mutant{"settings-believed-unsynced", "own", "enumerate convert-sync", "HOLDFAST is believed as the page cache has it"},
    Mutant{"manifest-believed-unsynced", "own", "enumerate checkpoint-sync", "a MANIFEST is believed as the page cache has it"},
    Mutant{"unfinished-segment-adopted", "own", "enumerate supersede-async", "a segment that a crash left unfinished is taken into the log"},
    Mutant{"tail-renamed-before-sync", "5", "enumerate append-sync", "the copy of the log's end gets its name before it is synced"},
    Mutant{"tail-not-synced", "own", "enumerate append-sync", "the copy of the log's end is believed without a sync"},
    // Shards.
    Mutant{"predecessor-not-killed", "33", kSync, "an update leaves the old version alive"},
    Mutant{"snapshot-misses-the-dead", "own", kSync, "a snapshot does not see what was deleted after it"},
    Mutant{"snapshot-sees-one-lsn-more", "30", kSync, "a snapshot sees one LSN too much"},
    Mutant{"index-forgets-collisions", "own", kSync, "of ids with equal hashes the index keeps one"},
    Mutant{"equal-hash-is-equal-id", "own", kSync, "ids with equal hashes are taken for one"},
    Mutant{"merge-brings-back-deleted", "own", kSync, "merging the index forgets a deletion"},
    // The commit path and reads.
    Mutant{"uncommitted-visible", "37", kSync, "a reader sees a version that is not committed"},
    Mutant{"reply-not-held", "41", kSync, "a reply without effects is not held for the pending write that it read"},
    Mutant{"read-at-stale-lsn", "48", kSync, "a read starts at a core's stale committed LSN"},
    Mutant{"read-before-applied", "49", kSync, "a core serves a read before it has applied through it"},
    Mutant{"committed-published-late", "own", kSync, "the committed LSN is published after the replies that it releases"},
    Mutant{"locks-kept-after-duplicate", "50", kSync, "locks are not released after a conflict"},
    Mutant{"hung-disk-unnoticed", "own", "hung-disk", "nobody is told that the disk does not answer"},
    Mutant{"budget-unbounded", "own", "hung-disk", "requests are read whatever is already held"},
    Mutant{"position-saved-apart", "11", kSync, "a MANIFEST's position is newer than the files it names"},
    Mutant{"unknown-outcome-reported-as-failure", "28", kSync, "the client says that a write failed of which it does not know"},
    Mutant{"client-sends-a-lost-write-again", "own", kSync, "the client repeats a write that it got no answer to"},
    Mutant{"or-takes-first-alternative", "own", kSync, "of several alternatives of a query only the first counts"},
    Mutant{"limit-keeps-what-came-first", "own", kSync, "of a sorted find with a limit the first documents met are shown"},
    Mutant{"sorted-by-each-core-alone", "own", kSync, "what several cores sorted is put one behind the other"},
    Mutant{"projection-drops-the-id", "own", kSync, "a projection of other fields leaves the _id out"},
    Mutant{"max-replaces-always", "own", kSync, "$max sets whatever is there"},
    Mutant{"slice-keeps-the-first", "own", kSync, "a negative $slice keeps the first elements"},
    Mutant{"add-to-set-adds-again", "own", kSync, "$addToSet adds what is there"},
    Mutant{"position-is-the-first", "own", kSync, "$ stands for the first element, whichever the query matched"},
    Mutant{"array-filter-lets-all-pass", "own", kSync, "$[identifier] changes every element"},
    Mutant{"each-misses-the-last", "own", kSync, "$[] leaves the last element as it was"},
    // Many documents at once.
    Mutant{"update-many-in-two-entries", "own", kUpdates, "one half of what an update of many changes is an entry of its own"},
    Mutant{"update-many-trusts-its-snapshot", "own", kUpdates, "it does not look whether its documents have changed since the snapshot"},
    Mutant{"update-many-leaves-out-what-fails", "own", kUpdates, "an update of many that fails for one document changes the others"},
    Mutant{"failing-increment-is-left-out", "own", kUpdates, "an update changes what its other operators say when one of them fails"},
    Mutant{"intents-not-kept", "own", kUpdates, "documents are not locked from when they are looked at until the entry is posted"},
    Mutant{"intents-kept-when-nothing-matches-any-more", "50", kUpdates, "an update of many that others were quicker than leaves its documents locked"},
    Mutant{"pending-when-applied-already", "own", kUpdates, "a version is pending for ever when its entry was applied before it was known to be"},
    Mutant{"first-may-have-changed", "own", kUpdates, "find_and_modify takes the first in an order also when that has changed meanwhile"},
    Mutant{"upserts-take-no-turns", "own", kUpdates, "two upserts of one query at once both insert"},
    // Collections that come and go.
    Mutant{"drop-acked-before-commit", "own", kSync, "a drop is acknowledged before it is committed"},
    Mutant{"drop-answers-at-a-stale-lsn", "48", kAsync, "a drop that finds nothing is answered from what core 0 has applied"},
    Mutant{"drop-skips-barrier", "own", kSync, "a drop does not wait for writers, whose documents follow it into the log"},
    Mutant{"drop-not-replayed", "own", kSync, "recovery leaves drops out"},
    Mutant{"collection-id-reused", "own", kSync, "a collection that is made gets the id of one that was dropped"},
    Mutant{"drop-hides-from-older-snapshots", "own", kSync, "a snapshot from before a drop no longer sees the collection"},
    Mutant{"count-ignores-deletes", "own", kSync, "the count of a collection does not go down"},
    // Users and encryption.
    Mutant{"frame-tag-not-compared", "own", "sealed-stream", "a frame is opened whatever its tag is"},
    Mutant{"opener-accepts-any-counter", "own", "sealed-stream", "a frame may have any counter"},
    Mutant{"auth-not-required", "own", "encrypted", "who has not logged in may do everything"},
    Mutant{"read-only-may-write", "own", "encrypted", "nobody asks whether a user may only read"},
    Mutant{"users-directory-not-synced", "own", "encrypted", "the name of the file of users is not synced"},
    Mutant{"users-believed-unsynced", "own", "encrypted", "the file of users is believed as the page cache has it"},
    Mutant{"users-not-synced", "own", "encrypted", "the file of users gets its name before it is synced"},
    // Cursors.
    Mutant{"cursor-reads-newest", "own", "cursors", "a page is taken at the newest version instead of the snapshot"},
    Mutant{"cursor-snapshot-let-go-early", "own", "cursors", "a cursor's snapshot is let go as soon as it has begun"},
    Mutant{"cursor-page-overlaps", "own", "cursors", "a page begins with the last document of the one before"},
    Mutant{"cursor-of-another-query", "own", "cursors", "nobody looks whether a cursor is of the stream that is asked for"},
    Mutant{"cursor-goes-on-where-it-was", "own", "cursors", "a sorted page is taken from what was kept, wherever it is to begin"},
    Mutant{"page-ends-with-what-was-kept", "own", "cursors", "a sorted page is short where what was kept ends"},
    Mutant{"cursor-survives-its-server", "own", "cursors", "a cursor of an earlier life is taken for one of this life"},
    // The full disk.
    Mutant{"read-only-never-lifted", "own", kSync, "a server whose disk was full takes no writes when there is room"},
    Mutant{"full-disk-fails-stop", "own", kSync, "the server ends when there is no room for a spare segment"},
    Mutant{"checkpoint-dies-of-a-full-disk", "own", kSync, "the server ends when a checkpoint finds no room"},
    Mutant{"disk-full-refuses-what-was-done", "own", kSync, "a write that was done is refused when the disk got full meanwhile"},
    // Repeats.
    Mutant{"repeat-accepted-from-anyone", "own", kSync, "whose connection broke is not asked: any client's identical insert is a repeat"},
    Mutant{"refused-insert-may-be-repeated", "own", kSync, "a refused insert whose connection broke succeeds when it comes again"},
    Mutant{"repeat-accepted-twice", "own", kSync, "one insertion is told to two clients of one machine"},
};

}  // namespace

std::span<const Mutant> mutants() { return kMutants; }

}  // namespace holdfast::chaos
