// Exports: the open export streams of a server.
//
// Place in the system: on core 0. An export reads one collection at one snapshot, page by page, core by core and shard by shard; any connection may ask for the
// next page, and asking twice gives the same one. It holds its snapshot on every core until its last page was made or it was idle too long, and its newest page
// until it is dropped, so their number is bounded. When there are too many, one that is done makes way, or one that nobody has asked for a while (its client
// may have gone without a word).
//
// Tokens: incarnation, export, page number, 8 bytes each, little endian.
#pragma once

#include "core/engine_core.h"

namespace holdfast::core {

class Exports {
 public:
  Exports(EngineShared& shared, uint64_t incarnation) : shared_(shared), incarnation_(incarnation) {}

  struct Of {
    std::string database;
    std::string collection;
  };
  /// On core 0. `of` counts when `cursor` is empty.
  io::Task<Result<ExportPage>> page(Of of, Buffer cursor, uint64_t max_bytes);
  /// Ends the exports that have been idle too long.
  void drop_idle();

 private:
  /// When there is no room, ends one that is done, or the longest idle one if that is long enough.
  void make_room();
  struct Export {
    CollectionRef collection;
    Lsn snapshot;
    bool holds_snapshot = false;
    size_t core = 0;         // where the next page continues
    size_t shard_index = 0;  // among that core's shards
    uint64_t page = 0;       // number of `newest`; 0: none yet
    ExportPage newest;
    /// What the next page has so far. Stays when a read fails: whoever asks again gets the page from where it stopped, and nothing is skipped.
    std::vector<Buffer> gathered;
    uint64_t gathered_bytes = 0;
    Time used;
    io::Semaphore turn{1};   // one request at a time
    uint32_t users = 0;
  };

  struct Begun {
    std::optional<uint64_t> id;  ///< none: there is nothing of that name
    Lsn snapshot;
  };
  io::Task<Result<Begun>> begin(Of of);
  io::Task<Result<ExportPage>> serve(uint64_t id, uint64_t page, uint64_t max_bytes);
  io::Task<Result<>> advance(uint64_t id, Export& e, uint64_t max_bytes);
  void let_snapshot_go(uint64_t id, Export& e);
  Buffer token(uint64_t id, uint64_t page) const;

  EngineShared& shared_;
  uint64_t incarnation_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, Export> exports_;
};

}  // namespace holdfast::core
