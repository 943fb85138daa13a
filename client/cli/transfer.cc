#include "client/cli/transfer.h"

#include <fmt/core.h>

#include "client/cli/document_reader.h"
#include "client/cli/ejson.h"
#include "client/cli/external_sort.h"
#include "client/cli/files.h"
#include "client/cli/id_order.h"
#include "client/cli/importer.h"
#include "client/cli/progress.h"

namespace holdfast::cli {
std::string documents(uint64_t n) { return fmt::format("{} {}", n, n == 1 ? "document" : "documents"); }

namespace {

std::string were(uint64_t n) { return n == 1 ? " was" : " were"; }

/// What a person needs to know after an import that stopped.
Error with_count(Error error, const Importer& importer) {
  uint64_t all = importer.inserted();
  uint64_t before = importer.stopped_at() ? importer.inserted_before(*importer.stopped_at()) : all;
  error.message += "; " + documents(before) + (importer.stopped_at() ? " before it" : "") + were(before) + " inserted";
  if (all > before) error.message += fmt::format(", and {} after it, already under way", all - before);
  return error;
}

/// Gives the reader's documents to the importer until one of them wants no more. Reading on is what false asks for.
io::Task<Result<bool>> feed(DocumentReader& reader, Importer& importer) {
  for (;;) {
    auto item = reader.next();
    if (!item) {
      co_await importer.stop(item.error());
      co_return true;
    }
    if (!*item) co_return false;
    if (!co_await importer.add((*item)->text, (*item)->line)) co_return true;
  }
}

io::Task<Result<>> read_and_feed(io::Host& host, Input& input, Importer& importer, Progress& progress) {
  DocumentReader reader;
  uint64_t bytes = 0;
  for (bool at_end = false; !at_end;) {
    HF_CO_TRY(n, co_await input.read(reader.prepare()));
    reader.commit(n);
    bytes += n;
    at_end = n == 0;
    if (at_end) reader.finish();
    HF_CO_TRY(stopped, co_await feed(reader, importer));
    if (stopped) break;
    progress.show(host.clock.now(), importer.inserted(), bytes);
    co_await io::yield();
  }
  co_return Result<>();
}

}  // namespace

io::Task<Result<ImportReport>> import_file(io::Host& host, client::Collection into, const CommandLine& line) {
  HF_CO_TRY(input, Input::open(line.file));
  io::Executor& here = co_await io::this_executor();
  Progress progress(host.clock.now(), input.size());
  bool name_each = line.keep_going;
  Importer importer(here, std::move(into), {.keep_going = line.keep_going}, [&](uint64_t, const Error& error) {
    if (!name_each) return;
    progress.wipe();
    std::fprintf(stderr, "holdfast: %s\n", error.text().c_str());
  });
  auto read = co_await read_and_feed(host, input, importer, progress);
  if (!read) co_await importer.stop(read.error());
  auto done = co_await importer.finish();
  progress.wipe();
  if (!done) co_return std::unexpected(with_count(done.error(), importer));
  co_return ImportReport{importer.inserted(), importer.refused()};
}

io::Task<Result<>> export_file(client::Collection from, const CommandLine& line) {
  HF_CO_TRY(out, Output::open(line.file));
  ExternalSort sorted(line.sort_memory, temporary_directory());
  client::DocumentStream stream = from.export_all();
  for (;;) {
    HF_CO_TRY(page, co_await stream.next());
    if (!page) break;
    Bytes document;
    for (auto it = page->begin(); it.next(document);)
      HF_CO_CHECK_OK(sorted.add(document_order_key(document), document));
  }
  HF_CO_CHECK_OK(sorted.sort());
  for (Bytes document;;) {
    HF_CO_TRY(there, sorted.next(document));
    if (!there) break;
    HF_CO_TRY(text, to_json(document));
    HF_CO_CHECK_OK(out.line(text));
  }
  co_return out.finish();
}

}  // namespace holdfast::cli
