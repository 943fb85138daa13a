// Importer: documents as JSON text in, insert-many batches out, several under way at once; finds exactly which document
// the server refuses.
//
// A batch is all or nothing, so a refused one is halved until the refused document stands alone; everything else in it
// goes in. Without keep_going the import stops there: documents of the same batch before the refused one are in, none
// after it, and of later batches those that were already under way.
//
// One core. Documents in memory: in_flight + 1 batches.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "client/client.h"
#include "io/sync.h"

namespace holdfast::cli {

struct ImportOptions {
  size_t batch_documents = 1000;
  size_t batch_bytes = 1u << 20;
  size_t in_flight = 4;
  bool keep_going = false;  ///< go on after refused documents
};

class Importer {
 public:
  using OnRefused = std::function<void(uint64_t line, const Error&)>;

  /// `on_refused` hears of each refused document, whatever refused it, in no promised order.
  Importer(io::Executor& executor, client::Collection into, ImportOptions options, OnRefused on_refused);

  /// Takes one document's text. False: the import has stopped; call finish().
  io::Task<bool> add(std::string_view text, uint64_t line);
  /// Nothing more can be read, says the reader of the text; what it gave so far still goes in.
  io::Task<void> stop(Error error);
  /// Waits for everything under way. An error: why the import stopped before its end.
  io::Task<Result<>> finish();

  uint64_t inserted() const { return inserted_; }
  uint64_t refused() const { return refused_; }
  /// The first refused document of an import that stopped there.
  std::optional<uint64_t> stopped_at() const { return stopped_at_; }
  /// How many of the inserted documents come before that line.
  uint64_t inserted_before(uint64_t line) const;

 private:
  struct Document {
    Buffer bytes;
    uint64_t line;
  };
  using Batch = std::vector<Document>;

  io::Task<void> dispatch();
  io::Task<void> send(Batch batch);
  io::Task<Result<>> call(const Batch& batch, size_t first, size_t last);
  io::Task<bool> insert(const Batch& batch, size_t first, size_t last);
  io::Task<bool> search(const Batch& batch, size_t first, size_t last);
  void refuse(uint64_t line, const Error& error);
  void give_up(uint64_t first_line, uint64_t last_line, const Error& error);

  client::Collection into_;
  ImportOptions options_;
  OnRefused on_refused_;
  io::TaskGroup group_;
  io::Semaphore slots_;
  int searching_ =
      0;  ///< batches in which the refused document is being looked for: an import that may stop there sends no others
  io::WaitList searched_;
  Batch batch_;
  size_t batch_bytes_ = 0;
  uint64_t inserted_ = 0;
  uint64_t refused_ = 0;
  std::map<uint64_t, uint64_t> inserted_from_;  ///< first line of what went in at once, and how many
  std::optional<uint64_t> stopped_at_;
  std::optional<Error> failure_;
  uint64_t lost_first_ = 0;  ///< lines of the batches that failed as a whole
  uint64_t lost_last_ = 0;
};

/// Errors that speak of one document, so that others may still go in.
bool is_refusal(Code code);

}  // namespace holdfast::cli
