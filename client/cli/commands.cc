#include "client/cli/commands.h"

#include <fmt/core.h>

#include <cstdio>

#include "client/cli/document_reader.h"
#include "client/cli/ejson.h"
#include "client/cli/exit_code.h"
#include "client/cli/files.h"
#include "client/cli/progress.h"
#include "client/cli/transfer.h"

namespace holdfast::cli {
namespace {

int complain(const Error& error) {
  std::fprintf(stderr, "holdfast: %s\n", error.text().c_str());
  return exit_code(error.code);
}

/// Writing to a pipe whose reader has gone is no reason to complain.
int complain_of_output(const Error& error) { return error.code == Code::kClosed ? kExitRefused : complain(error); }

int usage(std::string_view operand, const Error& error) {
  std::fprintf(stderr, "holdfast: bad_request: %.*s: %s\n", static_cast<int>(operand.size()), operand.data(),
               error.message.c_str());
  return kExitUsage;
}

int print(std::string_view text) {
  auto out = Output::open("-");
  auto done = out->line(text);
  if (done) done = out->finish();
  return done ? kExitOk : complain_of_output(done.error());
}

int print_json(Bytes value) {
  auto text = to_json(value);
  return text ? print(*text) : complain(text.error());
}

/// JSON that has to be an object.
Result<Buffer> object(std::string_view text) {
  HF_TRY(value, from_json(text));
  msgpack::Value head;
  if (!msgpack::Cursor(value).next(head) || head.kind != msgpack::Kind::kMap)
    return fail(Code::kBadRequest, "this must be a JSON object");
  return value;
}

Result<Buffer> id_value(const std::string& text) {
  auto value = from_json(text);
  if (value) return value;
  Buffer string;
  msgpack::Writer(string).string(text);
  if (auto valid = to_json(string); !valid || !valid->starts_with('"'))
    return fail(Code::kBadRequest, "this is not UTF-8");
  return string;
}

io::Task<int> ping(io::Host& host, client::Client& client) {
  Time begin = host.clock.now();
  auto r = co_await client.ping();
  if (!r) co_return complain(r.error());
  double ms = static_cast<double>((host.clock.now() - begin).ns) / 1e6;
  co_return print(fmt::format("{} answered in {:.3f} ms", client.options().server.text(), ms));
}

io::Task<Result<std::string>> read_all(std::string path) {
  HF_CO_TRY(input, Input::open(path));
  std::string text;
  for (;;) {
    size_t old = text.size();
    text.resize(old + (64u << 10));
    HF_CO_TRY(n, co_await input.read({text.data() + old, text.size() - old}));
    text.resize(old + n);
    if (n == 0) co_return text;
    if (text.size() > DocumentReader::kMaxText) co_return fail(Code::kTooLarge, "the document is too long");
  }
}

io::Task<int> insert(client::Collection collection, const CommandLine& line) {
  std::string text = line.document;
  if (text == "-") {
    auto all = co_await read_all("-");
    if (!all) co_return complain(all.error());
    text = std::move(*all);
  }
  auto document = object(text);
  if (!document) co_return usage("JSON", document.error());
  auto r = co_await collection.insert_one(std::move(*document));
  co_return r ? print_json(r->value) : complain(r.error());
}

io::Task<int> get(client::Collection collection, const CommandLine& line) {
  auto id = id_value(line.id);
  if (!id) co_return usage("ID", id.error());
  auto r = co_await collection.find_by_id_value(std::move(*id));
  if (!r) co_return complain(r.error());
  if (!r->value)
    co_return complain({Code::kNotFound, "no document of " + collection.name() + " has the _id " + line.id});
  co_return print_json(*r->value);
}

/// The server goes through everything that matches for each page of a sorted stream: so these are large.
constexpr uint64_t kSortedPageBytes = uint64_t{8} << 20;

/// What came before the error has been printed, and is right as far as it goes.
int complain_of_stream(Output& out, const Error& error) {
  if (auto done = out.finish(); !done) return complain_of_output(done.error());
  return complain(error);
}

io::Task<int> find(client::Collection collection, const CommandLine& line) {
  auto query = object(line.query);
  if (!query) co_return usage("QUERY", query.error());
  client::FindOptions options{.limit = line.limit, .skip = line.skip, .sort = {}, .projection = {}};
  for (auto [name, text, to] : {std::tuple{"--sort", &line.sort, &options.sort}, {"--projection", &line.projection, &options.projection}}) {
    if (text->empty()) continue;
    auto value = object(*text);
    if (!value) co_return usage(name, value.error());
    *to = std::move(*value);
  }
  client::DocumentStream stream = collection.stream(std::move(*query), std::move(options), {.documents = 0, .bytes = line.sort.empty() ? 0 : kSortedPageBytes});
  auto out = Output::open("-");
  for (;;) {
    auto page = co_await stream.next();
    if (!page) co_return complain_of_stream(*out, page.error());
    if (!*page) break;
    Bytes document;
    for (auto it = (*page)->begin(); it.next(document);) {
      auto text = to_json(document);
      if (!text) co_return complain(text.error());
      if (auto done = out->line(*text); !done) co_return complain_of_output(done.error());
    }
  }
  auto done = out->finish();
  co_return done ? kExitOk : complain_of_output(done.error());
}

io::Task<int> update(client::Collection collection, const CommandLine& line) {
  auto filter = object(line.query);
  if (!filter) co_return usage("FILTER", filter.error());
  auto change = object(line.update);
  if (!change) co_return usage("UPDATE", change.error());
  client::UpdateOptions options;
  if (!line.array_filters.empty()) {
    auto filters = from_json(line.array_filters);
    if (!filters) co_return usage("--array-filters", filters.error());
    options.array_filters = std::move(*filters);
  }
  bool upserts = line.command == Command::kUpsert;
  auto r = co_await (upserts     ? collection.upsert_one(std::move(*filter), std::move(*change), std::move(options))
                     : line.many ? collection.update_many(std::move(*filter), std::move(*change), std::move(options))
                                 : collection.update_one(std::move(*filter), std::move(*change), std::move(options)));
  if (!r) co_return complain(r.error());
  std::string inserted;
  if (r->value.upserted) {
    auto id = to_json(*r->value.upserted);
    if (!id) co_return complain(id.error());
    inserted = ",\"inserted\":" + *id;
  }
  co_return print(fmt::format(R"({{"matched":{},"modified":{}{}}})", r->value.matched, r->value.modified, inserted));
}

io::Task<int> remove(client::Collection collection, const CommandLine& line) {
  auto filter = object(line.query);
  if (!filter) co_return usage("FILTER", filter.error());
  auto r = co_await (line.many ? collection.delete_many(std::move(*filter)) : collection.delete_one(std::move(*filter)));
  if (!r) co_return complain(r.error());
  co_return print(fmt::format(R"({{"deleted":{}}})", r->value));
}

io::Task<int> count(client::Collection collection, const CommandLine& line) {
  if (line.query.empty()) {
    auto r = co_await collection.count();
    co_return r ? print(fmt::format("{}", r->value)) : complain(r.error());
  }
  auto query = object(line.query);
  if (!query) co_return usage("QUERY", query.error());
  auto r = co_await collection.count(std::move(*query));
  co_return r ? print(fmt::format("{}", r->value)) : complain(r.error());
}

io::Task<int> stats(client::Client& client) {
  auto r = co_await client.stats();
  if (!r) co_return complain(r.error());
  auto text = to_pretty_json(r->value);
  co_return text ? print(*text) : complain(text.error());
}

/// Part after part; pauses so that a second reads no more than it may.
io::Task<int> verify(io::Host& host, client::Client& client, const CommandLine& line) {
  constexpr uint64_t kPartBytes = uint64_t{1} << 20;
  Progress progress(host.clock.now(), std::nullopt);
  Buffer cursor;
  uint64_t records = 0, bytes = 0, damaged = 0;
  do {
    Time begin = host.clock.now();
    auto part = co_await client.verify(std::move(cursor), std::min(kPartBytes, line.bytes_per_second));
    if (!part) co_return complain(part.error());
    cursor = std::move(part->value.cursor);
    records += part->value.records;
    bytes += part->value.bytes;
    damaged += part->value.damage.size();
    if (!part->value.damage.empty()) progress.wipe();
    for (const std::string& sentence : part->value.damage)
      if (int exit = print("damaged: " + sentence); exit != kExitOk) co_return exit;
    progress.show(host.clock.now(), records, bytes);
    auto pause = seconds(1).ns * static_cast<int64_t>(part->value.bytes) / static_cast<int64_t>(line.bytes_per_second);
    if (!cursor.empty()) co_await io::sleep_until(begin + nanoseconds(pause));
  } while (!cursor.empty());
  progress.wipe();
  std::string figures = std::to_string(damaged) + " damaged; " + std::to_string(records) + " records, " + std::to_string(bytes) + " bytes";
  int printed = print((damaged == 0 ? "sound: " : "DAMAGED: ") + figures);
  co_return damaged == 0 ? printed : kExitRefused;
}

// --- Users.

int done(const Result<client::Stamp>& r, const std::string& sentence) {
  return r ? print(sentence) : complain(r.error());
}

io::Task<int> list_users(client::Client& client) {
  auto r = co_await client.list_users();
  if (!r) co_return complain(r.error());
  for (const auto& user : r->value) {
    std::string line = user.name + " " + user.role + (user.kept == "stored" ? "" : " " + user.kept);
    if (int exit = print(line); exit != kExitOk) co_return exit;
  }
  co_return kExitOk;
}

io::Task<int> users(client::Client& client, const CommandLine& line) {
  switch (line.command) {
    case Command::kUserAdd:
      co_return done(co_await client.add_user(line.id, line.new_password, line.role), line.id + " was added");
    case Command::kUserPasswd:
      co_return done(co_await client.change_password(line.id, line.new_password),
                     line.id + " was given another password");
    case Command::kUserRemove:
      co_return done(co_await client.remove_user(line.id), line.id + " was removed");
    default:
      co_return co_await list_users(client);
  }
}

io::Task<int> import(io::Host& host, client::Collection collection, const CommandLine& line) {
  auto report = co_await import_file(host, std::move(collection), line);
  if (!report) co_return complain(report.error());
  int printed = print(documents(report->inserted) + (report->inserted == 1 ? " was inserted" : " were inserted"));
  if (report->refused > 0) {
    std::fprintf(stderr, "holdfast: bad_request: %s refused\n",
                 (documents(report->refused) + (report->refused == 1 ? " was" : " were")).c_str());
    co_return kExitRefused;
  }
  co_return printed;
}

io::Task<int> exports(client::Collection collection, const CommandLine& line) {
  auto done = co_await export_file(std::move(collection), line);
  co_return done ? kExitOk : complain_of_output(done.error());
}

/// A long command outlives a restart of the server, within --timeout; but a server that is not there at its start is
/// soon said to be so.
constexpr int kPatientAttempts = 1000;

io::Task<int> ensure_reached(io::Host& host, const CommandLine& line) {
  client::Client client(host, line.client);
  auto r = co_await client.ping();
  co_await client.close();
  co_return r ? kExitOk : complain(r.error());
}

io::Task<int> dispatch(io::Host& host, client::Client& client, const CommandLine& line) {
  client::Collection collection = client.collection(line.collection);
  switch (line.command) {
    case Command::kPing: co_return co_await ping(host, client);
    case Command::kInsert: co_return co_await insert(collection, line);
    case Command::kGet: co_return co_await get(collection, line);
    case Command::kFind: co_return co_await find(collection, line);
    case Command::kUpdate:
    case Command::kUpsert: co_return co_await update(collection, line);
    case Command::kDelete: co_return co_await remove(collection, line);
    case Command::kCount: co_return co_await count(collection, line);
    case Command::kImport: co_return co_await import(host, collection, line);
    case Command::kExport: co_return co_await exports(collection, line);
    case Command::kStats: co_return co_await stats(client);
    case Command::kVerify: co_return co_await verify(host, client, line);
    case Command::kUserAdd:
    case Command::kUserPasswd:
    case Command::kUserRemove:
    case Command::kUserList:
      co_return co_await users(client, line);
  }
  co_return kExitUsage;
}

}  // namespace

io::Task<int> run_command(io::Host& host, CommandLine line) {
  if (line.command == Command::kImport || line.command == Command::kExport) {
    if (int exit = co_await ensure_reached(host, line); exit != kExitOk) co_return exit;
    line.client.max_attempts = kPatientAttempts;
  }
  client::Client client(host, line.client);
  int exit = co_await dispatch(host, client, line);
  co_await client.close();
  co_return exit;
}

}  // namespace holdfast::cli
