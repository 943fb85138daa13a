// holdfast: the command for people and scripts. See README.md.
#include <fcntl.h>

#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/login.h"
#include "io/real/real_host.h"

namespace {

holdfast::io::Task<void> run(holdfast::io::Host& host, holdfast::cli::CommandLine line, int& exit) {
  exit = co_await holdfast::cli::run_command(host, std::move(line));
}

/// A standard stream that the caller closed must not become some socket's number: its place is taken, such that writing
/// to it fails.
void occupy_standard_streams() {
  for (int fd = 0; fd <= 2; ++fd)
    if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", O_RDONLY);
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_streams();
  auto parsed = holdfast::cli::parse_command_line(argc, argv);
  if (int* exit = std::get_if<int>(&parsed)) return *exit;
  auto& line = std::get<holdfast::cli::CommandLine>(parsed);
  holdfast::wire::prefer_fast_crypto();
  if (auto filled = holdfast::cli::fill_in_login(line); !filled) {
    std::fprintf(stderr, "holdfast: %s\n", filled.error().text().c_str());
    return holdfast::cli::kExitUsage;
  }
  int exit = 1;
  holdfast::real::RealHost host({.log_level = holdfast::io::Level::kError, .disk_threads = 1, .sync_threads = 1});
  host.run(run(host.host(), std::move(line), exit));
  return exit;
}
