#include <fmt/core.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "bench/child.h"
#include "bench/compare.h"
#include "bench/load.h"

namespace holdfast::bench {

void restart(const RestartOptions& o) {
  ScratchDirectory scratch(o.scratch);
  auto start = [&] {
    return Child::start({o.server, "--data-path", scratch.path() + "/data", "--port", "0"}, "holdfastd ready on ");
  };
  auto port = [](const Child& c) { return static_cast<uint16_t>(std::stoul(c.ready_rest().substr(c.ready_rest().rfind(':') + 1))); };
  double filled = now_s();
  {
    Child server = start();
    preload({.port = port(server)}, o.documents);
    filled = now_s() - filled;
    int status = server.end(SIGTERM);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) die("the server did not stop clean");
  }
  std::vector<double> ms;
  for (int i = 0; i < o.rounds; ++i) {
    double begin = now_s();
    Child server = start();
    // One worker, one question: the run's time is up before it begins, and a worker asks at least once.
    Figures f = run({.port = port(server), .kind = Kind::kFindById, .workers = 1, .connections = 1, .seconds = 0, .ids = o.documents});
    if (f.errors || f.requests == 0) die("the restarted server did not answer: " + f.first_error);
    ms.push_back((now_s() - begin) * 1000);
    server.end(SIGTERM);
  }
  std::sort(ms.begin(), ms.end());
  fmt::print("{{\"documents\":{},\"fill_seconds\":{:.1f},\"restart_to_first_answer_ms\":{{\"min\":{:.1f},\"median\":{:.1f},\"max\":{:.1f}}}}}\n",
             o.documents, filled, ms.front(), ms[ms.size() / 2], ms.back());
}

}  // namespace holdfast::bench
