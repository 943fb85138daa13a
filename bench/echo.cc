#include "bench/echo.h"

#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace holdfast::bench {

void serve_echo(size_t answer_bytes) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listener, 1024) != 0) std::exit(1);
  socklen_t length = sizeof at;
  getsockname(listener, reinterpret_cast<sockaddr*>(&at), &length);
  std::printf("echo ready on %u\n", static_cast<unsigned>(ntohs(at.sin_port)));
  std::fflush(stdout);

  int epoll = epoll_create1(0);
  epoll_event add{};
  add.events = EPOLLIN;
  add.data.fd = listener;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &add);

  std::string answer(4 + answer_bytes, 'x');
  uint32_t announced = htonl(static_cast<uint32_t>(answer_bytes));
  std::memcpy(answer.data(), &announced, 4);
  std::map<int, std::string> unread;
  std::vector<char> chunk(1 << 18);
  std::string out;
  for (;;) {
    epoll_event events[64];
    int n = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < n; ++i) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int peer = accept(listener, nullptr, nullptr);
        int on = 1;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        add.data.fd = peer;
        epoll_ctl(epoll, EPOLL_CTL_ADD, peer, &add);
        continue;
      }
      ssize_t got = recv(fd, chunk.data(), chunk.size(), 0);
      if (got <= 0) {
        close(fd);
        unread.erase(fd);
        continue;
      }
      std::string& buffer = unread[fd];
      buffer.append(chunk.data(), static_cast<size_t>(got));
      out.clear();
      size_t done = 0;
      while (buffer.size() - done >= 4) {
        uint32_t size;
        std::memcpy(&size, buffer.data() + done, 4);
        size = ntohl(size);
        if (buffer.size() - done < 4 + size_t{size}) break;
        done += 4 + size_t{size};
        out += answer;
      }
      buffer.erase(0, done);
      for (size_t sent = 0; sent < out.size();) {
        ssize_t s = send(fd, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
        if (s <= 0) break;
        sent += static_cast<size_t>(s);
      }
    }
  }
}

}  // namespace holdfast::bench
