#include "io/real/tcp_connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include "io/real/os_error.h"
#include "io/real/resolve.h"

namespace holdfast::real {
namespace {

// A reader that always finds bytes lets others run after this many reads.
constexpr int kReadsInARow = 16;
// What close() throws away of the peer's unread bytes.
constexpr int kDrainReads = 16;

void set_option(int fd, int level, int name, int value) { (void)::setsockopt(fd, level, name, &value, sizeof value); }

std::unexpected<Error> closed() { return fail(Code::kClosed, "the connection was closed"); }

std::unexpected<Error> lost(int error_number) {
  return fail(Code::kClosed, "the connection broke: " + error_text(error_number));
}

bool must_wait(int error_number) { return error_number == EAGAIN || error_number == EWOULDBLOCK; }

// Marks one direction as in use for a scope.
class InUse {
 public:
  explicit InUse(bool& flag) : flag_(flag) {
    HF_ASSERT(!std::exchange(flag_, true), "one read and one write at a time");
  }
  ~InUse() { flag_ = false; }

 private:
  bool& flag_;
};

}  // namespace

TcpConnection::TcpConnection(RealCore& owner, Readiness socket, const sockaddr_in& peer)
    : owner_(owner), socket_(std::move(socket)), peer_(address_text(peer)), peer_is_local_(is_loopback(peer)) {
  int fd = socket_.fd();
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 6);
}

TcpConnection::~TcpConnection() {
  close();
}

io::Task<Result<size_t>> TcpConnection::read_some(MutableBytes out) {
  HF_ASSERT(owner_.is_current(), "a connection is used on its core");
  HF_ASSERT(!out.empty(), "a read has room for a byte");
  InUse in_use(reading_);
  if (++reads_in_a_row_ > kReadsInARow) {
    reads_in_a_row_ = 0;
    co_await io::yield();
  }
  while (!socket_.closed()) {
    if (std::exchange(emptied_, false)) {
      reads_in_a_row_ = 0;
      co_await socket_.ready(Direction::kRead);
      continue;
    }
    ssize_t n = retry_interrupted([&] { return ::recv(socket_.fd(), out.data(), out.size(), 0); });
    if (n >= 0) {
      emptied_ = n > 0 && static_cast<size_t>(n) < out.size();
      co_return static_cast<size_t>(n);
    }
    if (!must_wait(errno)) co_return lost(errno);
    emptied_ = true;
  }
  co_return closed();
}

io::Task<Result<>> TcpConnection::write_all(Bytes data) {
  HF_ASSERT(owner_.is_current(), "a connection is used on its core");
  InUse in_use(writing_);
  while (!data.empty()) {
    if (socket_.closed()) co_return closed();
    ssize_t n = retry_interrupted([&] { return ::send(socket_.fd(), data.data(), data.size(), MSG_NOSIGNAL); });
    if (n < 0 && !must_wait(errno)) co_return lost(errno);
    if (n > 0) data.remove_prefix(static_cast<size_t>(n));
    // What did not go in one call will not go in a second one either.
    if (!data.empty()) co_await socket_.ready(Direction::kWrite);
  }
  if (socket_.closed()) co_return closed();
  co_return Result<>();
}

void TcpConnection::close() {
  if (socket_.closed()) return;
  // A socket that is closed with unread bytes resets the connection, and the reset overtakes what was written last (a
  // refusal, say). So read what has come, within bounds, and let the peer see an orderly end.
  ::shutdown(socket_.fd(), SHUT_WR);
  char scratch[4096];
  for (int i = 0; i < kDrainReads; ++i)
    if (::recv(socket_.fd(), scratch, sizeof scratch, MSG_DONTWAIT) <= 0) break;
  socket_.close();
}

}  // namespace holdfast::real
