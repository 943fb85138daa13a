// holdfast: the command for people and scripts. See README.md.
#include "client/cli/commands.h"
#include "io/real/real_host.h"

namespace {

holdfast::io::Task<void> run(holdfast::io::Host& host, holdfast::cli::CommandLine line, int& exit) {
  exit = co_await holdfast::cli::run_command(host, std::move(line));
}

}  // namespace

int main(int argc, char** argv) {
  auto parsed = holdfast::cli::parse_command_line(argc, argv);
  if (int* exit = std::get_if<int>(&parsed)) return *exit;
  int exit = 1;
  holdfast::real::RealHost host({.log_level = holdfast::io::Level::kError, .disk_threads = 1, .sync_threads = 1});
  host.run(run(host.host(), std::get<holdfast::cli::CommandLine>(std::move(parsed)), exit));
  return exit;
}
