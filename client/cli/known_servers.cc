#include "client/cli/known_servers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fmt/core.h>

namespace holdfast::cli {
namespace {

std::unexpected<Error> os_error(const std::string& what) { return fail(Code::kIo, what + ": " + std::strerror(errno)); }

struct Line {
  size_t number = 0;
  std::string key;
};

Result<std::optional<Line>> find(const std::string& path, const std::string& server) {
  std::ifstream in(path);
  if (!in && errno != ENOENT) return os_error("cannot read " + path);
  std::string text;
  for (size_t number = 1; std::getline(in, text); ++number)
    if (text.starts_with(server + " ")) return Line{number, text.substr(server.size() + 1)};
  return std::nullopt;
}

Result<> append(const std::string& path, const std::string& line) {
  size_t slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0 && ::mkdir(path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST)
    return os_error("cannot make " + path.substr(0, slash));
  int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return os_error("cannot write " + path);
  bool written = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  int error = errno;
  ::close(fd);
  errno = error;
  return written ? Result<>() : os_error("cannot write " + path);
}

}  // namespace

std::string usual_known_servers() {
  const char* home = std::getenv("HOME");
  return home && *home ? std::string(home) + "/.holdfast/known_servers" : "";
}

Result<> KnownServers::check(const std::string& server, const wire::Public& key) const {
  if (path_.empty())
    return fail(Code::kAuth,
                "there is no HOME to record the server's key in; give --known-servers FILE or --server-key KEY");
  HF_TRY(known, find(path_, server));
  std::string text = wire::key_text(key);
  if (!known) {
    HF_CHECK_OK(append(path_, server + " " + text + "\n"));
    std::fprintf(stderr, "holdfast: note: %s is met for the first time; its key %s is now recorded in %s\n",
                 server.c_str(), text.c_str(), path_.c_str());
    return {};
  }
  if (known->key == text) return {};
  return fail(
      Code::kAuth,
      fmt::format("{} shows the key {}, and line {} of {} records another. Either its data directory was made anew, or "
                  "somebody stands between. Only if you know that it is the former, remove that line and try again",
                  server, text, known->number, path_));
}

}  // namespace holdfast::cli
