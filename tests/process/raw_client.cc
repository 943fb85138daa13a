#include "tests/process/raw_client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "io/wire/frame.h"
#include "io/wire/request.h"

namespace holdfast::test {
namespace {

bool wait_for(int fd, short events) {
  pollfd p{fd, events, 0};
  int n = poll(&p, 1, kPatienceMs);
  if (n == 0) ADD_FAILURE() << "the server neither answered nor closed";
  return n > 0;
}

}  // namespace

RawClient::RawClient(uint16_t port, int receive_buffer) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) close();
}

RawClient::~RawClient() { close(); }

void RawClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool RawClient::send(Bytes bytes) {
  while (!bytes.empty()) {
    ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) {
      if (!wait_for(fd_, POLLOUT)) return false;
      continue;
    }
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

size_t RawClient::send_some(Bytes bytes) {
  ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return n > 0 ? static_cast<size_t>(n) : 0;
}

void RawClient::finish() { shutdown(fd_, SHUT_WR); }

std::optional<Buffer> RawClient::frame() {
  for (;;) {
    if (buffered_.size() >= wire::kFrameHeaderSize) {
      auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(buffered_[i])); };
      size_t size = byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3);
      if (size > wire::kMaxReplySize) {
        ADD_FAILURE() << "the server announces a reply of " << size << " bytes";
        return std::nullopt;
      }
      if (buffered_.size() >= wire::kFrameHeaderSize + size) {
        Buffer payload = buffered_.substr(wire::kFrameHeaderSize, size);
        buffered_.erase(0, wire::kFrameHeaderSize + size);
        return payload;
      }
    }
    char chunk[65536];
    if (fd_ < 0 || !wait_for(fd_, POLLIN)) return std::nullopt;
    ssize_t n = recv(fd_, chunk, sizeof chunk, 0);
    if (n <= 0) return std::nullopt;
    buffered_.append(chunk, static_cast<size_t>(n));
  }
}

std::unique_ptr<RawReply> RawClient::reply() {
  std::optional<Buffer> payload = frame();
  if (!payload) return nullptr;
  auto out = std::make_unique<RawReply>();
  out->payload = std::move(*payload);
  auto parsed = wire::parse_reply(out->payload);
  if (!parsed) {
    ADD_FAILURE() << "the server sent what is no reply: " << parsed.error().text();
    return nullptr;
  }
  out->reply = *parsed;
  return out;
}

bool RawClient::closed() {
  char byte;
  return buffered_.empty() && wait_for(fd_, POLLIN) && recv(fd_, &byte, 1, 0) <= 0;
}

Buffer framed(Bytes payload) {
  Buffer out;
  size_t start = wire::begin_frame(out);
  out += payload;
  wire::end_frame(out, start);
  return out;
}

Buffer request(uint64_t id, wire::Op op, std::string_view collection, Bytes args) {
  Buffer out;
  wire::RequestWriter writer(out, {.id = id, .op = op, .collection = collection});
  if (args.empty())
    writer.args().map(0);
  else
    writer.args().raw(args);
  EXPECT_TRUE(writer.end());
  return out;
}

}  // namespace holdfast::test
