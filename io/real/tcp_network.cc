#include "io/real/tcp_network.h"

#include <sys/socket.h>
#include <unistd.h>

#include "io/real/os_error.h"
#include "io/real/resolve.h"
#include "io/real/tcp_connection.h"

namespace holdfast::real {
namespace {

constexpr int kBacklog = 4096;

std::unexpected<Error> network_error(int error_number, std::string_view what, const io::Endpoint& endpoint) {
  bool full = error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS || error_number == ENOMEM;
  return fail(full ? Code::kOverloaded : Code::kIo, std::string(what) + " " + endpoint.text() + ": " +
                                                        error_text(error_number));
}

Result<FileDescriptor> make_socket(const io::Endpoint& endpoint) {
  FileDescriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return network_error(errno, "cannot make a socket for", endpoint);
  return fd;
}

const sockaddr* generic(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

// Errors that belong to a connection which died in the queue: the next one may be fine.
bool is_transient(int error_number) {
  return error_number == ECONNABORTED || error_number == EPROTO || error_number == ENETDOWN ||
         error_number == ENOPROTOOPT || error_number == EHOSTDOWN || error_number == ENONET ||
         error_number == EHOSTUNREACH || error_number == EOPNOTSUPP || error_number == ENETUNREACH ||
         error_number == EPERM;
}

class TcpListener final : public io::Listener {
 public:
  TcpListener(RealCores& cores, RealCore& home, int fd, io::Endpoint local)
      : cores_(cores), home_(home), socket_(home.reactor(), fd), local_(std::move(local)) {}

  io::Task<Result<std::unique_ptr<io::Connection>>> accept(CoreId owner) override {
    HF_ASSERT(home_.is_current(), "a listener accepts on the core that opened it");
    while (!socket_.closed()) {
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      int fd = retry_interrupted([&] {
        return ::accept4(socket_.fd(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      });
      if (fd >= 0) {
        RealCore& core = cores_.core(owner);
        co_return std::make_unique<TcpConnection>(core, Readiness(core.reactor(), fd), peer);
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK)
        co_await socket_.ready(Direction::kRead);
      else if (!is_transient(errno))
        co_return network_error(errno, "cannot accept on", local_);
    }
    co_return fail(Code::kClosed, "the listener was closed");
  }

  void close() override { socket_.close(); }
  io::Endpoint local() const override { return local_; }

 private:
  RealCores& cores_;
  RealCore& home_;
  Readiness socket_;
  io::Endpoint local_;
};

}  // namespace

io::Task<Result<std::unique_ptr<io::Listener>>> TcpNetwork::listen(io::Endpoint at) {
  HF_CO_TRY(address, co_await resolve(threads_, at, Time::never()));
  HF_CO_TRY(fd, make_socket(at));
  int yes = 1;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(fd.get(), generic(address), sizeof address) != 0 || ::listen(fd.get(), kBacklog) != 0)
    co_return network_error(errno, "cannot listen on", at);
  socklen_t size = sizeof address;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    co_return network_error(errno, "cannot tell the port of", at);
  at.port = ntohs(address.sin_port);
  RealCore& home = RealCore::of(co_await io::this_executor());
  co_return std::make_unique<TcpListener>(cores_, home, fd.release(), std::move(at));
}

io::Task<Result<std::unique_ptr<io::Connection>>> TcpNetwork::connect(io::Endpoint to, Time deadline) {
  HF_CO_TRY(address, co_await resolve(threads_, to, deadline));
  HF_CO_TRY(fd, make_socket(to));
  RealCore& home = RealCore::of(co_await io::this_executor());
  Readiness socket(home.reactor(), fd.release());
  int error = ::connect(socket.fd(), generic(address), sizeof address) == 0 ? 0 : errno;
  if (error == EINPROGRESS || error == EINTR) {
    if (!co_await socket.ready(Direction::kWrite, deadline))
      co_return fail(Code::kTimeout, "cannot connect to " + to.text() + " in time");
    socklen_t size = sizeof error;
    (void)::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error == ETIMEDOUT) co_return fail(Code::kTimeout, "cannot connect to " + to.text() + " in time");
  if (error != 0) {
    auto e = network_error(error, "cannot connect to", to);
    if (e.error().code == Code::kIo) e.error().code = Code::kClosed;
    co_return e;
  }
  co_return std::make_unique<TcpConnection>(home, std::move(socket), address);
}

}  // namespace holdfast::real
