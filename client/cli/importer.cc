#include "client/cli/importer.h"

#include <fmt/core.h>

#include "client/cli/ejson.h"

namespace holdfast::cli {
namespace {

bool is_map(Bytes value) {
  msgpack::Value head;
  return msgpack::Cursor(value).next(head) && head.kind == msgpack::Kind::kMap;
}

}  // namespace

bool is_refusal(Code code) {
  return code == Code::kBadRequest || code == Code::kTooLarge || code == Code::kDuplicateKey;
}

Importer::Importer(io::Executor& executor, client::Collection into, ImportOptions options, OnRefused on_refused)
    : into_(std::move(into)),
      options_(options),
      on_refused_(std::move(on_refused)),
      group_(executor),
      slots_(options.in_flight) {}

io::Task<bool> Importer::add(std::string_view text, uint64_t line) {
  if (failure_) co_return false;
  auto document = from_json(text, line);
  if (document && !is_map(*document))
    document = fail(Code::kBadRequest, fmt::format("line {}: this is no document: a document is a JSON object", line));
  if (!document && !text.ends_with('}'))
    document.error().message += " (a document a line, or one array of documents, is expected)";
  if (!document) {
    // Its message names the line itself. What came before goes in first, so that the count told is the final one.
    co_await dispatch();
    refuse(line, document.error());
    co_return !failure_;
  }
  batch_bytes_ += document->size();
  batch_.push_back({std::move(*document), line});
  if (batch_.size() >= options_.batch_documents || batch_bytes_ >= options_.batch_bytes) co_await dispatch();
  co_return !failure_;
}

void Importer::refuse(uint64_t line, const Error& error) {
  ++refused_;
  on_refused_(line, error);
  if (options_.keep_going) return;
  if (stopped_at_ && *stopped_at_ < line) return;
  stopped_at_ = line;
  failure_ = error;
}

/// An error that is no document's fault. Of several batches under way most meet the same: their lines are told
/// together.
void Importer::give_up(uint64_t first_line, uint64_t last_line, const Error& error) {
  bool same = failure_ && !stopped_at_ && failure_->code == error.code && lost_last_ != 0;
  lost_first_ = same ? std::min(lost_first_, first_line) : first_line;
  lost_last_ = same ? std::max(lost_last_, last_line) : last_line;
  stopped_at_.reset();
  failure_ = Error{error.code, fmt::format("lines {} to {}: {}", lost_first_, lost_last_, error.message)};
}

io::Task<void> Importer::stop(Error error) {
  co_await dispatch();
  if (!failure_) failure_ = std::move(error);
}

io::Task<void> Importer::dispatch() {
  if (batch_.empty()) co_return;
  Batch batch = std::exchange(batch_, {});
  batch_bytes_ = 0;
  co_await slots_.acquire(1);
  while (searching_ > 0 && !options_.keep_going && !failure_) co_await searched_.wait();
  if (failure_) {
    slots_.release(1);
    co_return;
  }
  group_.spawn(send(std::move(batch)));
}

io::Task<void> Importer::send(Batch batch) {
  co_await insert(batch, 0, batch.size());
  slots_.release(1);
}

/// A document by itself is inserted by itself, for the sake of the server's words about it.
io::Task<Result<>> Importer::call(const Batch& batch, size_t first, size_t last) {
  if (last - first == 1) {
    HF_CO_TRY(answer, co_await into_.insert_one(batch[first].bytes));
    (void)answer;
    co_return Result<>();
  }
  std::vector<Buffer> documents;
  for (size_t i = first; i < last; ++i) documents.push_back(batch[i].bytes);
  HF_CO_TRY(answer, co_await into_.insert_many(std::move(documents)));
  (void)answer;
  co_return Result<>();
}

/// Inserts batch[first, last); false when the import shall stop.
io::Task<bool> Importer::insert(const Batch& batch, size_t first, size_t last) {
  Result<> r = co_await call(batch, first, last);
  if (r) {
    inserted_ += last - first;
    inserted_from_[batch[first].line] += last - first;
    co_return true;
  }
  const Error& error = r.error();
  if (!is_refusal(error.code)) {
    give_up(batch[first].line, batch[last - 1].line, error);
    co_return false;
  }
  if (last - first == 1) {
    refuse(batch[first].line, Error{error.code, fmt::format("line {}: {}", batch[first].line, error.message)});
    co_return options_.keep_going;
  }
  ++searching_;
  bool go_on = co_await search(batch, first, last);
  --searching_;
  searched_.notify_all();
  co_return go_on;
}

io::Task<bool> Importer::search(const Batch& batch, size_t first, size_t last) {
  size_t middle = first + (last - first) / 2;
  if (!co_await insert(batch, first, middle)) co_return false;
  co_return co_await insert(batch, middle, last);
}

io::Task<Result<>> Importer::finish() {
  if (!failure_) co_await dispatch();
  co_await group_.drained();
  if (failure_) co_return std::unexpected(*failure_);
  co_return Result<>();
}

uint64_t Importer::inserted_before(uint64_t line) const {
  uint64_t n = 0;
  for (auto it = inserted_from_.begin(); it != inserted_from_.end() && it->first < line; ++it) n += it->second;
  return n;
}

}  // namespace holdfast::cli
