// Once: clients that append numbers to lists by requests that are to be executed once, and send them again in every unkind way.
//
// Place in the system: beside Locks; speaks the protocol itself, so that it decides which attempt of a request goes over which connection, when, and how slowly:
// several at once, one after the other, a first one whose bytes arrive after a later one was answered, and one that comes long after all is over. AppendHistory
// judges: what was acknowledged is in its list once, at one LSN, whichever attempt was answered; what was refused is never there; what is not known at most once.
#pragma once

#include "chaos/oracle/append_history.h"
#include "chaos/oracle/ledger.h"
#include "io/base/random.h"
#include "io/host.h"

namespace holdfast::chaos {

struct OnceOptions {
  io::Endpoint server;
  uint64_t keys = 4;
  uint64_t operations = 40;  ///< of each client
  Duration pause_max = milliseconds(10);
  Duration timeout = seconds(2);  ///< for one attempt
};

class Once {
 public:
  Once(OnceOptions options, Ledger& ledger, Rng random);

  /// One client, from beginning to end.
  io::Task<void> run_client(io::Host& host, int index);
  /// Looks at all lists, and judges everything.
  io::Task<bool> verify(io::Host& host);

  struct Counts {
    uint64_t asked = 0, done = 0, refused = 0, unknown = 0, attempts = 0, late = 0, sessions = 0, asked_after = 0, taken = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Session;
  struct Asked;
  struct Answer;
  using Connection = std::shared_ptr<io::Connection>;  ///< null: none could be made
  io::Task<void> open_session(Session& s);
  io::Task<void> append(Session& s);
  io::Task<void> send_attempts(Session& s, Asked& asked);
  io::Task<void> attempt(Connection connection, std::shared_ptr<Asked> asked, uint64_t number, Rng random, Duration wait);
  io::Task<void> come_late(Connection connection, std::shared_ptr<Asked> asked, uint64_t number, Rng random, Duration wait);
  void judge(Session& s, Asked& asked);
  io::Task<void> ask_outcome(Session& s, Asked& asked);
  io::Task<void> take_number_again(Session& s, const Asked& before);
  io::Task<void> look(io::Host& host, Rng& random);
  io::Task<Connection> connect(io::Host& host);
  io::Task<Answer> exchange(Connection connection, Buffer frame, Rng& random);
  void tell(AppendHistory::Sentence sentence) {
    if (!sentence.empty()) ledger_.violation(std::move(sentence));
  }

  OnceOptions options_;
  Ledger& ledger_;
  Rng random_;
  AppendHistory history_;
  uint64_t last_value_ = 0;
  Counts counts_;
};

}  // namespace holdfast::chaos
