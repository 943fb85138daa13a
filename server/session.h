// Session: one client's connection, from its first byte to its close.
//
// Place in the system: made by its core's ServerCore, which a listener on core 0 hands connections to. It reads frames,
// runs each request in a fiber of its own, and writes the answers; what a request does is in operations.h.
//
//     read_loop ──frames──> execute (one fiber per request) ──> engine
//        ^ pauses                    │ appends its answer
//        │                           v
//     admission <──────────── output ──all that is there──> write_loop
//
// Invariants
//  1. Requests start in the order of arrival, each running until it first waits before the next starts. Answers leave
//     in the order in which they are ready. While one write is under way further answers gather, and leave together.
//  2. A request starts only when there is room: requests under way, unsent answers, bytes of this core (Limits). Else
//     reading pauses, and TCP tells the client. What a request needs later (its answer) never waits for room.
//  3. After a break nothing is started and nothing is written; what runs in the engine ends there.
//  4. What an operation may do is decided by `access_`, which allows nothing until the first byte is there.
//  5. Idle, it holds its coroutine frames and a small read buffer (see FrameReader).
//
// Its first byte tells what a connection is: a handshake, ours or the original's, or plaintext. What is read and
// written afterwards is opened and sealed where it lies.
//
// Late answers. The original's client gives up after 15 s, reuses the connection in some cases, and takes whatever
// comes next for its answer. An answer later than Limits::late_reply is therefore not sent; the connection is closed
// instead. A client that has pipelined or said hello matches ids and gets its answer however late.
//
// Belongs to one core. Dies with run(); in a crash at any moment, without waiting or writing.
#pragma once

#include "server/call.h"
#include "server/fiber.h"

namespace holdfast::server {

class Session final : public io::ListNode, private Answers {
 public:
  Session(ServerCore& core, std::unique_ptr<io::Connection> connection);

  /// Serves the connection to its end.
  io::Task<void> run();
  /// Closes as soon as nothing is under way; until then new requests are refused.
  void finish();
  /// Closes now.
  void abort() { break_off(); }
  /// Closes when the peer has kept the session waiting, for the rest of a frame or with unread answers, longer than
  /// `patience`.
  void watch(Time now, Duration patience);
  /// The stored users have changed, that one among them: who is this one may do nothing more, and is closed when
  /// nothing is under way; nor may plaintext do more than a new connection's.
  void users_changed(std::string_view name);

 private:
  /// The bytes of one request while it runs.
  struct Payload {
    Bytes bytes;
    Buffer copy;                       ///< a small one was copied here …
    std::unique_ptr<char[]> detached;  ///< … a large one brought its memory along
  };
  /// What a request holds of the core's budgets.
  struct Hold {
    Budget* budget;
    uint64_t bytes;
    uint64_t large_frames = 0;
  };

  io::Task<void> read_loop();
  io::Task<bool> start_frames();
  io::Task<bool> read_more();
  Result<std::optional<Bytes>> next_frame();

  // session_handshake.cc
  enum class Handshake : uint8_t { kAgreed, kFailed };
  io::Task<bool> begin_connection(size_t bytes_read);
  io::Task<bool> shake_hands(Buffer begun);
  io::Task<Handshake> shake_hands(wire::Handshake& handshake, Buffer& begun);
  io::Task<bool> read_into(Buffer& begun);
  io::Task<void> tell_login_failure(Buffer answer, std::string user);
  std::unique_ptr<wire::Handshake> handshake_for(char mark);
  wire::ServerHandshake::Options own_handshake();
  void enter(wire::Handshake& handshake, Bytes rest);
  void enter_plain();
  void note_impossible(std::string_view why);
  From from() const { return connection_->peer_is_local() ? From::kThisMachine : From::kElsewhere; }
  io::Task<bool> wait_for_room(const Hold& hold);
  io::Task<void> refuse_frame(Error error);
  void tell_refusal(uint64_t id);
  io::Task<void> linger();
  bool may_start() const;
  Hold price(Bytes payload);
  enum class Progress : uint8_t { kBytes, kFrames };
  void note_progress(Progress progress);

  void start(Bytes payload, Hold hold);
  Payload keep(Bytes payload);
  Fiber execute(Payload payload, Hold hold);
  bool begin_call(Call& call);
  uint64_t note_insert(Call& call);
  void end_request(Payload payload, Hold hold);

  Fiber write_loop();
  io::Task<Result<>> write_out();
  void sent(uint64_t bytes);
  void break_off();
  void insert_broke();
  void insert_ended(uint64_t request, bool inserted);
  void something_ended();

  // Answers
  Buffer* open() override;
  bool is_whole() const override { return !broken_ && !peer_closed_; }
  void written(size_t bytes, Room room) override;

  ServerCore& core_;
  std::unique_ptr<io::Connection> connection_;
  wire::FrameReader frames_;
  /// Of an encrypted connection.
  struct Seals {
    wire::FrameSealer sealer;
    wire::FrameOpener opener;
  };
  std::optional<Seals> seals_;
  Access access_;
  Time handshake_until_ = Time::never();
  HandshakePlace handshake_place_{*this};
  uint64_t reserved_ = 0;  ///< of large_frames, for the frame that is arriving
  uint64_t received_ = 0;
  Time frame_since_ = Time::never();  ///< when the frame that is arriving began, or last made progress …
  uint64_t frame_mark_ = 0;           ///< … and `received_` then
  Time write_since_ = Time::never();  ///< when the write under way began
  std::optional<Error> refusal_;      ///< of a frame, while its request's id is waited for …
  Time refuse_at_ = Time::never();    ///< … but no longer than that
  Time linger_until_ = Time::never();
  Time started_ = {};  ///< the newest request
  uint32_t under_way_ = 0;
  bool matches_ids_ = false;  ///< the client has pipelined or said hello
  bool finishing_ = false;
  bool peer_closed_ = false;  ///< nothing more will come
  bool broken_ = false;  ///< nothing is read or written any more
  bool ended_ = false;
  /// The newest request, when it is an insert that has not failed.
  struct LastInsert {
    Hash128 fingerprint;
    uint64_t request;
    bool under_way = true;
    std::optional<uint64_t> broke{};  ///< core 0 knows it by that number: its connection broke while it was under way
  };
  std::optional<LastInsert> last_insert_;
  uint64_t requests_ = 0;

  Buffer output_;  ///< answers that wait for the write under way
  Buffer writing_;
  uint64_t unsent_ = 0;  ///< bytes of both …
  std::vector<Room> unsent_rooms_;  ///< … and what they are charged to, in order
  io::WaitList output_ready_;
  io::WaitList changed_;  ///< run() waits here, for room or for the end
  Fibers fibers_;
};

}  // namespace holdfast::server
