// Streams: clients that read results page by page, share each other's cursors, and ask for old pages again.
//
// Place in the system: beside Crud, whose documents it reads and whose ledger it tells what it saw; runs over any io::Host through the client library; no OS.
// Every stream is judged as one find at its snapshot would be, whoever fetched which page over which connection; each page asked again must be the same, byte
// for byte; a cursor goes only when it may; and what is no cursor, or that of another stream, must be refused.
#pragma once

#include <memory>

#include "chaos/oracle/ledger.h"
#include "chaos/workload/questions.h"
#include "client/client.h"
#include "io/base/random.h"

namespace holdfast::chaos {

struct StreamsOptions {
  io::Endpoint server;
  std::vector<std::string> keys;     ///< of Crud
  uint64_t operations = 100;         ///< per client
  size_t open_max = 6;               ///< streams that are read at a time, by all clients together
  Duration pause_max = milliseconds(20);
  Duration timeout = seconds(2);
  // What the server was told: reasons to lose a cursor.
  Duration idle = seconds(600);
  Duration done = seconds(15);
  Duration age = seconds(3600);
  bool crowded = false;  ///< there may be fewer cursors than streams
  bool forgetful = false;  ///< history may take too much memory
  std::function<uint64_t()> life;  ///< which incarnation of the server it is
  std::function<Time()> now;       ///< not by a clock that drifts; the server's may, by a tenth
};

struct StreamsCounts {
  uint64_t begun = 0, pages = 0, again = 0, judged = 0, expired = 0, too_old = 0, foreign = 0, malformed = 0;
};

class Streams {
 public:
  Streams(StreamsOptions options, Ledger& ledger, Rng random) : options_(std::move(options)), ledger_(ledger), random_(random) {}

  /// One client, from beginning to end.
  io::Task<void> run_client(io::Host& host, int index);
  const StreamsCounts& counts() const { return counts_; }

 private:
  struct Session;
  struct Stream;
  struct Got;
  using Shared = std::shared_ptr<Stream>;

  io::Task<void> step(Session& s);
  io::Task<void> begin(Session& s);
  io::Task<void> go_on(Session& s, Shared stream);
  io::Task<void> ask_again(Session& s, Shared stream);
  io::Task<void> present_elsewhere(Session& s, Shared stream);
  io::Task<void> present_nonsense(Session& s, Shared stream);
  /// A page from the server, or nothing: the stream may then be over.
  io::Task<std::optional<Got>> fetch(Session& s, Shared stream, Buffer cursor);
  Shared draw(Session& s);
  /// The question of a stream that a restart has ended, though its reader may not know that; else a new one.
  Shared draw_or_repeat(Session& s);
  void failed(Stream& stream, const Error& error, Time asked);
  void judge(const Stream& stream);
  void judge_numbers(const Stream& stream, uint64_t shown);

  StreamsOptions options_;
  Ledger& ledger_;
  Rng random_;
  StreamsCounts counts_;
  std::vector<Shared> open_;
};

}  // namespace holdfast::chaos
