#include "io/real/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>

#include "io/sync.h"

namespace holdfast::real {
namespace {

// One question to the system's resolver. Nobody can interrupt it, so it owns itself until its answer has arrived: who
// asked may have gone.
class Lookup final : public Job, public std::enable_shared_from_this<Lookup> {
 public:
  Lookup(RealCore& home, std::string name) : Job(&home), name_(std::move(name)) {}

  void start(HelperThreads& threads) {
    myself_ = shared_from_this();
    threads.submit(*this);
  }
  io::Event answered;
  int error = 0;
  in_addr address{};

 private:
  void work() override {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    error = ::getaddrinfo(name_.c_str(), nullptr, &hints, &found);
    if (error != 0) return;
    address = reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr;
    ::freeaddrinfo(found);
  }
  void deliver() override {
    auto keep = std::move(myself_);
    answered.set();
  }
  void discard() override { auto last = std::move(myself_); }

  std::string name_;
  std::shared_ptr<Lookup> myself_;
};

}  // namespace

io::Task<Result<sockaddr_in>> resolve(HelperThreads& threads, io::Endpoint endpoint, Time deadline) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(endpoint.port);
  if (::inet_pton(AF_INET, endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host.c_str(), &out.sin_addr) == 1)
    co_return out;
  auto lookup = std::make_shared<Lookup>(RealCore::of(co_await io::this_executor()), endpoint.host);
  lookup->start(threads);
  if (!co_await lookup->answered.wait(deadline))
    co_return fail(Code::kTimeout, "looking up the host name " + endpoint.host + " takes too long");
  if (lookup->error != 0)
    co_return fail(Code::kNotFound, "cannot find host " + endpoint.host + ": " + ::gai_strerror(lookup->error));
  out.sin_addr = lookup->address;
  co_return out;
}

std::string address_text(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN];
  ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(address.sin_port));
}

bool is_loopback(const sockaddr_in& address) { return (ntohl(address.sin_addr.s_addr) >> 24) == 127; }

}  // namespace holdfast::real
