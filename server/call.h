// Call: one request on its way through the server, and the pen for its answer.
#pragma once

#include "io/wire/reply.h"
#include "io/wire/request.h"
#include "server/server_core.h"

namespace holdfast::server {

/// Where answers go: the output of a connection, or the inside of a batch.
class Answers {
 public:
  virtual ~Answers() = default;
  /// What to append the answer to, until the next wait; null when nobody is there to read it.
  virtual Buffer* open() = 0;
  /// Whether the peer has neither gone nor closed its side.
  virtual bool is_whole() const = 0;
  /// The answer stands at the end of what open() gave, `bytes` long. It takes the place of its room, if it has any, until it has left.
  virtual void written(size_t bytes, Room room) = 0;
};

/// Lives in the frame of whoever runs the request. Handlers answer it exactly once: with answer(), ok() or fail().
struct Call {
  ServerCore& core;
  Answers& answers;
  const Access& access;
  wire::ReplyWriter::Framing framing = wire::ReplyWriter::Framing::kFrame;
  size_t reply_limit = wire::kMaxReplyPayload;
  wire::Request request{};
  bool silent = false;  ///< NoReply: nothing is sent
  bool failed = false;  ///< once answered: with an error
  /// Of an insert that may be the repeat of one whose connection broke (see RepeatTable).
  std::optional<Hash128> fingerprint{};
  Lsn lsn{};            ///< once answered: what the answer rests on
  uint64_t asked = 0;   ///< of a numbered request: a hash of what it asks for
  Room room{};          ///< for its answer; whoever runs the request gives back what is left
  Call* batch = nullptr;   ///< that it is one of, and has its room in
  uint64_t gathered = 0;   ///< of a batch: bytes of answers

  core::Engine& engine() const { return core.engine(); }
  core::Name name() const { return {database(), request.collection, request.transaction, numbered()}; }
  core::Numbered numbered() const {
    return {.session = request.session, .number = request.number, .answered = request.answered, .attempt = request.attempt, .asked = asked};
  }
  std::string_view database() const {
    return request.database.empty() ? std::string_view(core.config().default_database)
                                    : std::string_view(request.database);
  }

  /// `write(reply)` writes the result, without waiting; `size` is about how large it is, when it may be large.
  template <class F>
  void answer(Lsn rests_on, F write, size_t size = 0) {
    lsn = rests_on;
    Buffer* out = silent ? nullptr : answers.open();
    if (!out) return;
    if (size > 0) out->reserve(out->size() + size + kEnvelopeRoom);
    wire::ReplyWriter reply(*out, request.id, framing);
    write(reply);
    if (reply.size() > reply_limit) return replace_too_large(reply);
    answers.written(reply.end({rests_on, engine().durable_lsn()}).size, std::exchange(room, {}));
  }
  void ok(Lsn rests_on) {
    answer(rests_on, [](wire::ReplyWriter&) {});
  }
  void fail(const Error& error, Lsn rests_on);
  /// Waits until there is room for an answer that takes so many bytes while it is made; in place of the room that it had. Held until the answer has been sent.
  io::Task<void> reserve(uint64_t bytes);
  /// Without waiting; false when that cannot be.
  bool try_reserve(uint64_t bytes);
  /// Asked once an insert was refused as a duplicate: whether it is a repeat, and to be tried again as one.
  io::Task<bool> may_repeat();
  void fail(const Error& error) { fail(error, engine().committed_lsn()); }

 private:
  static constexpr size_t kEnvelopeRoom = 128;
  Budget& budget_for(uint64_t bytes) const { return bytes <= core.limits().first_room() ? core.answers : core.large_answers; }
  io::Task<void> grow(uint64_t bytes);
  void replace_too_large(wire::ReplyWriter& reply);
};

}  // namespace holdfast::server
