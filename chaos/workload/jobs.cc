#include "chaos/workload/jobs.h"

#include <fmt/format.h>

#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

using msgpack::Kind;
using msgpack::Value;
using msgpack::Writer;

constexpr const char* kDatabase = "work";
constexpr const char* kJobs = "jobs";

Buffer job_document(uint64_t job) {
  Buffer out;
  Writer(out).map(1).string("_id").uint(job);
  return out;
}

Buffer first() {
  Buffer out;
  Writer(out).map(1).string("_id").integer(1);
  return out;
}

std::optional<uint64_t> number_of(Bytes document) {
  Value v;
  auto raw = msgpack::lookup(document, "_id");
  if (!raw || !msgpack::Cursor(*raw).next(v) || v.kind != Kind::kUint) return std::nullopt;
  return v.u;
}

client::Collection at(client::Client& c) { return c.collection(kJobs, kDatabase); }
client::Collection at(const client::Transaction& t) { return t.collection(kJobs, kDatabase); }

}  // namespace

void Jobs::restarted(Lsn recovered, bool lossy) {
  if (!lossy) return;
  std::erase_if(jobs_, [recovered](const auto& j) { return j.second.inserted && *j.second.inserted > recovered; });
  for (auto& [number, job] : jobs_)
    if (job.taken && *job.taken > recovered) job.taken.reset();
}

Bounds Jobs::count(Lsn lsn) const {
  Bounds out{0, jobs_.size()};
  for (const auto& [number, job] : jobs_)
    out.least += job.inserted && *job.inserted <= lsn && !job.taken && job.takes_without_answer == 0;
  return out;
}

io::Task<void> Jobs::insert(TransactionSession& s) {
  uint64_t number = ++last_, epoch = ledger_.epoch();
  Lsn after = ledger_.highest_acknowledged();
  jobs_[number];
  ++asked_;
  auto done = co_await at(s.client).insert_one(job_document(number));
  if (!done) lives_.judge(done.error());
  if (!done && done.error().code == Code::kDuplicateKey)
    ledger_.violation(fmt::format("job {}, which nobody else inserts, is there already", number));
  if (!done || epoch != ledger_.epoch()) co_return;
  ledger_.acknowledged(kJobs, after, done->lsn, done->durable_lsn);
  jobs_[number].inserted = done->lsn;
}

/// Deletes the first that it finds within the transaction, and tells which.
io::Task<std::optional<uint64_t>> Jobs::take_first(TransactionSession& s, const client::Transaction& t) {
  ++asked_;
  if (s.random.below(2) == 0) {
    auto done = co_await at(t).find_and_modify("\x80", {.sort = first()});
    if (!done) lives_.judge(done.error());
    if (!done || !done->value.document) co_return std::nullopt;
    co_return number_of(*done->value.document);
  }
  client::FindOptions options{.limit = 1, .sort = first()};
  auto found = co_await at(t).find("\x80", std::move(options));
  if (!found) lives_.judge(found.error());
  Bytes document;
  if (!found) co_return std::nullopt;
  auto it = found->value.begin();
  if (!it.next(document)) co_return std::nullopt;
  std::optional<uint64_t> number = number_of(document);
  if (!number) co_return std::nullopt;
  auto gone = co_await (s.random.below(2) == 0 ? at(t).delete_one(job_document(*number))
                                               : at(t).delete_many(job_document(*number)));
  if (!gone) lives_.judge(gone.error());
  if (gone && gone->value != 1)
    ledger_.violation(
        fmt::format("a transaction deletes {} documents of job {}, which it has found", gone->value, *number));
  co_return gone ? number : std::nullopt;
}

io::Task<void> Jobs::take(TransactionSession& s) {
  uint64_t epoch = ledger_.epoch();
  ++asked_;
  auto begun = co_await s.client.begin();
  if (!begun) co_return lives_.judge(begun.error());
  std::optional<uint64_t> job = co_await take_first(s, *begun);
  if (!job) {
    (void)co_await begun->rollback();
    co_return;
  }
  if (ledger_.tell)
    ledger_.tell(fmt::format("a transaction with its snapshot at LSN {} takes job {}", begun->snapshot().value, *job));
  if (s.random.below(2) == 0) co_await io::sleep_for(Duration{static_cast<int64_t>(s.random.below(10'000'000))});
  if (epoch == ledger_.epoch()) co_await commit(s, *begun, *job, epoch);
}

io::Task<void> Jobs::commit(TransactionSession&, const client::Transaction& t, uint64_t number, uint64_t epoch) {
  ++asked_;
  ++jobs_[number].takes_without_answer;
  auto done = co_await t.commit();
  if (ledger_.tell)
    ledger_.tell(fmt::format("job {}: {}", number,
                             done ? fmt::format("taken at LSN {}", done->lsn.value) : done.error().text()));
  if (!done) lives_.judge(done.error());
  if (!jobs_.contains(number)) co_return;  // lost
  Job& job = jobs_[number];
  if (!done && done.error().code == Code::kConflict) --job.takes_without_answer;
  if (!done || epoch != ledger_.epoch()) co_return;
  --job.takes_without_answer;
  ++taken_;
  ledger_.acknowledged(kJobs, Lsn(), done->lsn, done->durable_lsn);
  if (job.taken)
    ledger_.violation(
        fmt::format("job {} was taken twice, at LSN {} and {}", number, job.taken->value, done->lsn.value));
  if (job.inserted && done->lsn <= *job.inserted)
    ledger_.violation(fmt::format("job {} was taken at LSN {}, before it was inserted at {}", number, done->lsn.value,
                                  job.inserted->value));
  job.taken = done->lsn;
}

void Jobs::judge(const std::set<uint64_t>& there, Lsn lsn) {
  for (uint64_t number : there) {
    auto job = jobs_.find(number);
    if (job == jobs_.end())
      ledger_.violation(
          fmt::format("job {} is there at LSN {}, though nobody inserted it or it was lost", number, lsn.value));
    else if (job->second.inserted && *job->second.inserted > lsn)
      ledger_.violation(fmt::format("job {} is there at LSN {}, and was inserted at LSN {}", number, lsn.value,
                                    job->second.inserted->value));
    else if (job->second.taken && *job->second.taken <= lsn)
      ledger_.violation(fmt::format("job {} is there at LSN {}, and was taken at LSN {}", number, lsn.value,
                                    job->second.taken->value));
  }
  for (const auto& [number, job] : jobs_) {
    bool must =
        job.inserted && *job.inserted <= lsn && job.takes_without_answer == 0 && (!job.taken || *job.taken > lsn);
    if (must && !there.contains(number))
      ledger_.violation(fmt::format("job {} is not there at LSN {}, but nobody took it", number, lsn.value));
  }
}

io::Task<bool> Jobs::look(TransactionSession& s) {
  uint64_t epoch = ledger_.epoch();
  Lsn after = ledger_.highest_acknowledged();
  ++asked_;
  auto found = co_await at(s.client).find("\x80");
  if (!found) {
    lives_.judge(found.error());
    co_return false;
  }
  if (epoch != ledger_.epoch()) co_return true;
  ledger_.acknowledged(kJobs, after, found->lsn, found->durable_lsn);
  std::set<uint64_t> there;
  Bytes document;
  for (auto it = found->value.begin(); it.next(document);) {
    auto number = number_of(document);
    if (!number || !there.insert(*number).second)
      ledger_.violation("among the jobs there is a document that nobody wrote, or one is there twice");
  }
  judge(there, found->lsn);
  co_return true;
}

io::Task<void> Jobs::step(TransactionSession& s) {
  switch (s.random.below(8)) {
    case 0:
    case 1:
    case 2:
      co_return co_await insert(s);
    case 3:
      co_await look(s);
      co_return;
    default:
      co_return co_await take(s);
  }
}

}  // namespace holdfast::chaos
