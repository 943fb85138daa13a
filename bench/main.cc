// holdfast-bench: measures a running server, or starts what it measures by itself. See README.md.
#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "bench/child.h"
#include "bench/compare.h"
#include "bench/echo.h"
#include "bench/filters.h"
#include "bench/load.h"
#include "bench/timing.h"
#include "bench/transactions.h"
#include "io/wire/crypto.h"

using namespace holdfast::bench;

int main(int argc, char** argv) {
  CLI::App app("Measures Holdfast: one load, a comparison with a bare echo server, or restarts.");
  app.require_subcommand(1);

  Load load;
  std::string operation = "insert-one", connect = "127.0.0.1:6900";
  uint64_t fill = 0;
  auto* one = app.add_subcommand("load", "Put a load on a running server and print its figures as JSON");
  one->add_option("--connect", connect, "HOST:PORT of the server")->capture_default_str();
  one->add_option("--operation", operation, "insert-one, insert-many, find-by-id, update-one, upsert-one, delete-one, ping, insert-numbered")->capture_default_str();
  one->add_option("--workers", load.workers, "Threads")->capture_default_str()->check(CLI::Range(1, 1024));
  one->add_option("--connections", load.connections, "Connections, spread over the workers")->capture_default_str();
  one->add_option("--depth", load.depth, "Requests under way per connection")->capture_default_str()->check(CLI::Range(1, 1024));
  one->add_option("--batch", load.batch, "Documents per insert-many")->capture_default_str();
  one->add_option("--document-bytes", load.document_bytes, "Bytes per document")->capture_default_str();
  one->add_option("--seconds", load.seconds, "How long")->capture_default_str();
  one->add_option("--ids", load.ids, "find-by-id and update-one pick among this many")->capture_default_str();
  one->add_option("--first-id", load.first_id, "Where the ids that are inserted begin")->capture_default_str();
  one->add_option("--collection", load.collection, "Collection")->capture_default_str();
  one->add_option("--user", load.user, "Log in as this user, on every connection");
  one->add_option("--password", load.password, "Its password");
  one->add_option("--preload", fill, "First insert this many documents");

  CompareOptions compared;
  auto* against = app.add_subcommand("compare", "Start servers and an echo, alternate between them, print medians and ratios as JSON");
  against->add_option("--server", compared.server, "Path of holdfastd")->required();
  against->add_option("--scratch", compared.scratch, "Directory for the databases")->capture_default_str();
  against->add_option("--rounds", compared.rounds, "Rounds")->capture_default_str();
  against->add_option("--seconds", compared.seconds, "Per figure and round")->capture_default_str();
  against->add_option("--workers", compared.workers, "Workers")->capture_default_str();
  against->add_option("--document-bytes", compared.document_bytes, "Bytes per document")->capture_default_str();

  RestartOptions restarted;
  auto* again = app.add_subcommand("restart", "Fill a database, and time its restarts to the first answer");
  again->add_option("--server", restarted.server, "Path of holdfastd")->required();
  again->add_option("--scratch", restarted.scratch, "Directory for the database")->capture_default_str();
  again->add_option("--documents", restarted.documents, "Documents")->capture_default_str();
  again->add_option("--rounds", restarted.rounds, "Restarts")->capture_default_str();

  FilterOptions filtered;
  auto* filters = app.add_subcommand("filters", "Scan documents in memory with compiled filters, and with what else there is, on one core");
  filters->add_option("--documents", filtered.documents, "Documents")->capture_default_str();
  filters->add_option("--document-bytes", filtered.document_bytes, "Bytes per document")->capture_default_str();
  filters->add_option("--rounds", filtered.rounds, "Rounds")->capture_default_str();

  TransactionOptions transacted;
  auto* transactions = app.add_subcommand("transactions", "Start servers, and measure transactions of 1, 4 and 16 documents, apart and contended");
  transactions->add_option("--server", transacted.server, "Path of holdfastd")->required();
  transactions->add_option("--scratch", transacted.scratch, "Directory for the databases")->capture_default_str();
  transactions->add_option("--rounds", transacted.rounds, "Rounds")->capture_default_str();
  transactions->add_option("--seconds", transacted.seconds, "Per figure and round")->capture_default_str();
  transactions->add_option("--workers", transacted.workers, "Workers")->capture_default_str();
  transactions->add_option("--hot", transacted.hot, "Documents of the contended rows")->capture_default_str();

  TimingOptions timed;
  auto* timing = app.add_subcommand(
      "timing", "Look for differences in time that would tell a secret: where a proof differs, whether a user exists");
  timing->add_option("--samples", timed.samples, "Samples of each class")->capture_default_str();

  size_t answer_bytes = 40;
  auto* echo = app.add_subcommand("echo", "Be the echo server that comparisons measure against");
  echo->add_option("--answer-bytes", answer_bytes, "Bytes per answer")->capture_default_str();

  CLI11_PARSE(app, argc, argv);
  holdfast::wire::prefer_fast_crypto();
  if (*timing) measure_timing(timed);
  if (*echo) serve_echo(answer_bytes);
  if (*against) {
    compared.self = "/proc/self/exe";
    compare(compared);
  }
  if (*again) restart(restarted);
  if (*transactions) measure_transactions(transacted);
  if (*filters) measure_filters(filtered);
  if (*one) {
    size_t colon = connect.rfind(':');
    if (colon == std::string::npos) die("--connect takes HOST:PORT");
    load.host = connect.substr(0, colon) == "localhost" ? "127.0.0.1" : connect.substr(0, colon);
    load.port = static_cast<uint16_t>(std::stoul(connect.substr(colon + 1)));
    load.kind = kind_of(operation);
    if (fill > 0) preload(load, fill);
    fmt::print("{}\n", json(operation, run(load)));
  }
  return 0;
}
