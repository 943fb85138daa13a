// Scribes: writers who share nothing, and note in a chronicle what they asked for and when, and what they were told and when.
//
// Place in the system: beside Crud and Flood; runs over any io::Host through the client library. For runs whose crashes are made up afterwards, from a
// record: so times are those of the host's monotonic clock. Inserts, batches, updates and deletes, each on documents of the scribe's own; nothing is
// sent twice.
#pragma once

#include "chaos/oracle/chronicle.h"
#include "client/client.h"
#include "io/base/random.h"

namespace holdfast::chaos {

struct ScribesOptions {
  io::Endpoint server;
  int scribes = 12;
  Duration pause_max = milliseconds(4);  ///< between two changes of one scribe
  Duration timeout = seconds(5);
};

/// The collections that scribes write, by database.
struct ScribedCollection {
  const char* database;
  const char* name;
};
inline constexpr ScribedCollection kScribed[] = {{"default", "north"}, {"default", "east"}, {"other", "south"}};
/// As the chronicle names a document.
DocumentName scribed_name(const ScribedCollection& collection, std::string_view key);

/// Everything belongs to one core.
class Scribes {
 public:
  Scribes(Chronicle& chronicle, Rng random) : chronicle_(chronicle), random_(random) {}

  /// Writes until stop(); again and again, with one server after the other.
  io::Task<void> run(io::Host& host, ScribesOptions options);
  void stop() { stopping_ = true; }

 private:
  struct Document {
    const ScribedCollection* collection;
    std::string key;
    DocumentState state;
  };
  struct Scribe;
  io::Task<void> write(Scribe& s);
  io::Task<bool> insert(Scribe& s);
  io::Task<bool> insert_batch(Scribe& s);
  io::Task<bool> update(Scribe& s, size_t index);
  io::Task<bool> remove(Scribe& s, size_t index);
  Document fresh(Scribe& s);
  /// Notes an answer; true when the change was done.
  template <class T>
  bool take(Scribe& s, const std::vector<Chronicle::ChangeId>& ids, const Result<client::Answer<T>>& answer, bool& known);

  Chronicle& chronicle_;
  Rng random_;
  bool stopping_ = false;
  uint64_t runs_ = 0;
  std::vector<std::vector<Document>> open_;  // by scribe; kept from one server to the next
  uint64_t last_key_ = 0;
  uint64_t last_value_ = 0;
  uint64_t last_batch_ = 0;
};

}  // namespace holdfast::chaos
