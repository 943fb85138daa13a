// How a connection begins: by its first byte, and by the handshake that this announces.
#include <fmt/format.h>

#include "io/base/probe.h"
#include "server/session.h"

namespace holdfast::server {
namespace {

constexpr size_t kReadAtOnce = 512;

}  // namespace

// `bytes_read` stand in the room that frames_ has prepared. False: nothing more is to be read.
io::Task<bool> Session::begin_connection(size_t bytes_read) {
  frames_.commit(bytes_read);
  char first = frames_.buffered_bytes()[0];
  if (first == wire::kHandshakeMark || first == wire::kPskMark) {
    Buffer begun(frames_.buffered_bytes());
    frames_.reset();
    co_return co_await shake_hands(std::move(begun));
  }
  enter_plain();
  if (from() == From::kThisMachine || !core_.logins.guarded()) handshake_until_ = Time::never();
  co_return true;
}

void Session::enter_plain() {
  access_ = core_.logins.plain(from());
  if (access_.is_stranger()) frames_.set_limit(std::min(core_.limits().stranger_bytes, core_.limits().request_bytes));
}

io::Task<bool> Session::shake_hands(Buffer begun) {
  std::unique_ptr<wire::Handshake> handshake = handshake_for(begun[0]);
  if (!handshake) co_return false;
  handshake_until_ = core_.executor().now() + core_.limits().handshake_time;
  core_.handshake_begins(handshake_place_);
  Handshake end = co_await shake_hands(*handshake, begun);
  handshake_place_.unlink();
  handshake_until_ = Time::never();
  if (end == Handshake::kFailed || broken_) co_return false;
  enter(*handshake, begun);
  co_return !broken_;
}

// `begun` holds what was read, and at the end what follows the handshake.
io::Task<Session::Handshake> Session::shake_hands(wire::Handshake& handshake, Buffer& begun) {
  while (size_t wanted = handshake.wanted()) {
    while (begun.size() < wanted)
      if (!co_await read_into(begun)) co_return Handshake::kFailed;
    Result<Buffer> answer = handshake.take(Bytes(begun).substr(0, wanted));
    begun.erase(0, wanted);
    auto* own = dynamic_cast<wire::ServerHandshake*>(&handshake);
    if (!answer) {
      if (answer.error().code == Code::kUnsupported) note_impossible(answer.error().message);
      bool wrong_password = !own && answer.error().code == Code::kAuth;
      if (wrong_password) co_await tell_login_failure({}, {});
      if (!wrong_password) ++core_.metrics.handshakes_refused;
      co_return Handshake::kFailed;
    }
    // The user may have been changed since the handshake asked for it.
    bool gone = own && own->wanted() == 0 && !own->refused() &&
                !core_.logins.still(own->user(), own->found(), core_.config().login.cost);
    if (gone) co_return Handshake::kFailed;
    if (own && own->refused()) {
      co_await tell_login_failure(std::move(*answer), own->user());
      co_return Handshake::kFailed;
    }
    if (!answer->empty() && !co_await connection_->write_all(*answer)) co_return Handshake::kFailed;
  }
  co_return broken_ ? Handshake::kFailed : Handshake::kAgreed;
}

io::Task<bool> Session::read_into(Buffer& begun) {
  std::array<char, kReadAtOnce> room;
  Result<size_t> n = co_await connection_->read_some(room);
  if (!n || *n == 0 || broken_) co_return false;
  core_.metrics.bytes_received += *n;
  begun.append(room.data(), *n);
  co_return true;
}

// Late, so that guessing takes time; and all failures alike. Who has to make room for others is not told.
io::Task<void> Session::tell_login_failure(Buffer answer, std::string user) {
  core_.login_failed(user, connection_->peer(), {Code::kAuth, "wrong user name or password"});
  core_.handshake_fails(handshake_place_);
  handshake_until_ = Time::never();
  Time late = core_.executor().now() + core_.limits().failed_login_delay;
  while (!broken_ && !finishing_ && co_await changed_.wait(late)) {
  }
  if (!answer.empty() && !broken_) (void)co_await connection_->write_all(answer);
}

// Null when there is nobody to log in as; who has our handshake is told.
std::unique_ptr<wire::Handshake> Session::handshake_for(char mark) {
  const Logins& logins = core_.logins;
  if (mark == wire::kPskMark && logins.psk) {
    std::array<char, wire::kPskSaltBytes> salt;
    core_.facts().host.random.entropy(salt);
    return std::make_unique<wire::PskServer>(logins.psk->psk, Bytes(salt.data(), salt.size()), wire::aes_unit());
  }
  if (mark == wire::kHandshakeMark && logins.users) return std::make_unique<wire::ServerHandshake>(own_handshake());
  ++core_.metrics.handshakes_refused;
  if (mark == wire::kPskMark) {
    note_impossible("the original's encryption needs --username and --password-file");
    return nullptr;
  }
  Call call{.core = core_, .answers = *this, .access = access_};
  call.fail({Code::kAuth,
             "this server has no users; connect without user name and password, or add the user: holdfast user add "
             "NAME, on the server's machine"});
  linger_until_ = core_.executor().now() + core_.limits().linger;
  return nullptr;
}

wire::ServerHandshake::Options Session::own_handshake() {
  wire::ServerHandshake::Options out{
      .key = core_.logins.users->key(),
      .ephemeral = {},
      .ciphers = core_.config().login.ciphers,
      .unit = wire::aes_unit(),
      .find = [this](std::string_view name) { return core_.logins.find(name, core_.config().login.cost); }};
  core_.facts().host.random.entropy(out.ephemeral.bytes());
  return out;
}

// From here on the connection is sealed; `rest` came with the handshake's last bytes.
void Session::enter(wire::Handshake& handshake, Bytes rest) {
  wire::FrameKeys keys = handshake.keys();
  seals_.emplace(wire::FrameSealer(keys.style, keys.send), wire::FrameOpener(keys.style, keys.receive));
  frames_.set_limit(core_.limits().request_bytes + seals_->opener.overhead());
  if (auto* own = dynamic_cast<wire::ServerHandshake*>(&handshake))
    access_ = Access::user(own->user(), own->found().role);
  else if (core_.logins.psk)
    access_ = Access::psk(core_.logins.psk->name, core_.logins.psk->token);
  ++core_.metrics.handshakes;
  while (!rest.empty()) {
    MutableBytes room = frames_.prepare();
    size_t n = std::min(room.size(), rest.size());
    std::memcpy(room.data(), rest.data(), n);
    frames_.commit(n);
    rest.remove_prefix(n);
  }
}

void Session::note_impossible(std::string_view why) {
  if (!std::exchange(core_.notes_handshakes, false)) return;
  core_.log(io::Level::kWarning,
            fmt::format("{} asked for an encrypted connection: {} (further such attempts are not logged)",
                        connection_->peer(), why));
}

}  // namespace holdfast::server
