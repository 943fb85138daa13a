#include "chaos/workload/flood.h"

#include <fmt/core.h>

#include <charconv>

#include "chaos/workload/documents.h"
#include "io/sync.h"

namespace holdfast::chaos {
namespace {

constexpr const char* kCollection = "flood";

std::string key_of(size_t writer, size_t n) { return fmt::format("{}-{}", writer, n); }
uint64_t value_of(size_t writer, size_t n) { return (static_cast<uint64_t>(writer) << 40) + n; }

}  // namespace

io::Task<void> Flood::write(client::Client& client, size_t writer) {
  client::Collection flood = client.collection(kCollection);
  while (!stopping_) {
    size_t n = fates_[writer].size();
    fates_[writer].push_back(Fate::kUnknown);
    auto done = co_await flood.insert_one(make_document(key_of(writer, n), value_of(writer, n)));
    if (done) {
      fates_[writer][n] = Fate::kAcknowledged;
      ++acknowledged_;
      continue;
    }
    Code code = done.error().code;
    if (code == Code::kDuplicateKey) ledger_.violation(fmt::format("{} was refused as a duplicate, but nobody else writes it", key_of(writer, n)));
    if (code != Code::kUnknownOutcome && code != Code::kInternal) fates_[writer][n] = Fate::kRefused;
    co_await io::sleep_for(milliseconds(5));
  }
}

io::Task<void> Flood::run(io::Host& host) {
  client::Client client(host, {.server = options_.server, .connections = static_cast<size_t>(options_.connections), .timeout = options_.timeout,
                               .connect_timeout = options_.timeout, .max_attempts = 4});
  fates_.resize(static_cast<size_t>(options_.writers));
  io::TaskGroup writers(co_await io::this_executor());
  for (size_t i = 0; i < fates_.size(); ++i) writers.spawn(write(client, i));
  co_await writers.drained();
  co_await client.close();
}

/// One document of an export.
void Flood::check(Bytes document, std::vector<std::vector<bool>>& seen) {
  Result<ReadDocument> read = read_document(document);
  if (!read) return ledger_.violation("an export shows this: " + read.error().message);
  uint64_t writer = read->state.value >> 40, n = read->state.value & ((uint64_t{1} << 40) - 1);
  if (writer >= fates_.size() || n >= fates_[writer].size() || read->key != key_of(writer, n) || read->state.counter != 0)
    return ledger_.violation(fmt::format("an export shows {} with value {}, which nobody wrote", read->key, read->state.value));
  if (fates_[writer][n] == Fate::kRefused) ledger_.violation(fmt::format("{} is there, though its insert was refused", read->key));
  if (n >= seen[writer].size()) seen[writer].resize(n + 1);
  if (seen[writer][n]) ledger_.violation(fmt::format("an export shows {} twice", read->key));
  seen[writer][n] = true;
}

io::Task<bool> Flood::verify(io::Host& host) {
  std::vector<std::vector<Fate>> before = fates_;
  std::vector<std::vector<bool>> seen(fates_.size());
  client::Client client(host, {.server = options_.server, .connections = 1, .timeout = seconds(30)});
  client::DocumentStream all = client.collection(kCollection).export_all();
  bool complete = false;
  for (;;) {
    auto part = co_await all.next();
    if (!part || !*part) {
      complete = part.has_value();
      if (!part && part.error().code == Code::kCorrupt) ledger_.violation("without any media fault the server said: " + part.error().text());
      break;
    }
    Bytes document;
    for (auto it = (*part)->begin(); it.next(document);) check(document, seen);
  }
  co_await client.close();
  if (!complete) co_return false;
  uint64_t missing = 0;
  std::string first;
  for (size_t writer = 0; writer < before.size(); ++writer)
    for (size_t n = 0; n < before[writer].size(); ++n)
      if (before[writer][n] == Fate::kAcknowledged && (n >= seen[writer].size() || !seen[writer][n]) && missing++ == 0) first = key_of(writer, n);
  if (missing > 0) ledger_.violation(fmt::format("{} acknowledged inserts are missing, first {}", missing, first));
  co_return true;
}

}  // namespace holdfast::chaos
