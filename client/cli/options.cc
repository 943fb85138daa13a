#include "client/cli/options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>

#include "client/cli/exit_code.h"
#include "client/cli/known_servers.h"

namespace holdfast::cli {
namespace {

constexpr uint16_t kDefaultPort = 6900;

constexpr const char* kAbout =
    "holdfast: talks to a Holdfast server.\n"
    "\n"
    "JSON is MongoDB Extended JSON v2 (relaxed): {\"$date\": ...}, {\"$binary\": ...} and so on stand for what JSON "
    "lacks.\n"
    "Documents go to standard output, one a line; errors to standard error, as `holdfast: code: sentence`.";

constexpr const char* kFooter =
    "Exit codes: 0 done; 1 the server (or a file) said no; 2 wrong usage; 3 not reached, or the outcome is unknown.\n"
    "\n"
    "Examples:\n"
    "  holdfast ping\n"
    "  holdfast insert cities '{\"_id\": \"riga\", \"name\": \"Riga\", \"people\": 605802}'\n"
    "  holdfast find cities '{\"country\": \"LV\"}' --sort '{\"people\": -1}' --limit 10\n"
    "  holdfast update cities '{\"_id\": \"riga\"}' '{\"$inc\": {\"people\": 1}}'\n"
    "  holdfast import cities cities.json\n"
    "  holdfast export cities > cities.ndjson\n"
    "  holdfast --user ada find cities '{}'";

template <class T>
std::optional<T> number_from(std::string_view text) {
  T out{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

/// "64MiB", "8KiB", "1GiB" or plain bytes.
std::optional<uint64_t> parse_bytes(std::string_view text) {
  int shift = text.ends_with("KiB") ? 10 : text.ends_with("MiB") ? 20 : text.ends_with("GiB") ? 30 : 0;
  if (shift != 0) text.remove_suffix(3);
  auto n = number_from<uint64_t>(text);
  if (!n || *n == 0 || *n > UINT64_MAX >> shift) return std::nullopt;
  return *n << shift;
}

/// What the flags say, as text, before it is checked.
struct Raw {
  std::string connect = "localhost:6900";
  std::string timeout = "15s";
  std::string sort_memory = "64MiB";
  std::string rate = "64MiB";
  std::string server_key;
  std::string role = "read-write";
};

CLI::App* command(CLI::App& app, CommandLine& line, Command which, const char* name, const char* about) {
  CLI::App* sub = app.add_subcommand(name, about);
  sub->callback([&line, which] { line.command = which; });
  return sub;
}

void add_user_commands(CLI::App& app, CommandLine& line, Raw& raw) {
  CLI::App* user =
      app.add_subcommand("user", "Say who may log in, while the server runs (holdfastd user does it while none runs)");
  user->require_subcommand(1);
  user->fallthrough();
  auto add = command(*user, line, Command::kUserAdd, "add",
                     "Let somebody log in; from the first user on nobody else may do anything");
  auto passwd =
      command(*user, line, Command::kUserPasswd, "passwd", "Give a user another password, and end its connections");
  auto remove =
      command(*user, line, Command::kUserRemove, "remove", "Let a user log in no more, and end its connections");
  auto list = command(*user, line, Command::kUserList, "list", "Print the users and their roles");
  for (CLI::App* c : {add, passwd, remove, list}) c->fallthrough();
  for (CLI::App* c : {add, passwd, remove})
    c->add_option("NAME", line.id, "the user's name: letters, digits, and _ . @ -")->required();
  for (CLI::App* c : {add, passwd})
    c->add_option(
         "--new-password-file", line.new_password_file,
         "the file whose first line is the new password (HOLDFAST_NEW_PASSWORD holds it too; else it is asked for)")
        ->option_text("FILE");
  add->add_option("--role", raw.role, "read-write or read-only (read-write)")
      ->option_text("ROLE")
      ->check(CLI::IsMember({"read-write", "read-only"}));
}

void add_login(CLI::App& app, CommandLine& line, Raw& raw) {
  app.add_option("--user", line.user, "log in as this user, over an encrypted connection (HOLDFAST_USER sets it too)")
      ->option_text("NAME")
      ->envname("HOLDFAST_USER");
  app.add_option("--password-file", line.password_file,
                 "the file whose first line is the password (HOLDFAST_PASSWORD holds it too; else it is asked for)")
      ->option_text("FILE");
  app.add_option("--known-servers", line.known_servers,
                 "where servers' keys are recorded when they are first met (~/.holdfast/known_servers)")
      ->option_text("FILE");
  app.add_option("--server-key", raw.server_key,
                 "the server's key, as holdfastd user list prints it; instead of --known-servers")
      ->option_text("KEY");
}

void add_commands(CLI::App& app, CommandLine& line, Raw& raw) {
  auto collection = [&line](CLI::App* sub) { sub->add_option("COLL", line.collection, "the collection")->required(); };

  command(app, line, Command::kPing, "ping", "Ask the server whether it answers, and print how long that took");

  CLI::App* insert = command(app, line, Command::kInsert, "insert", "Insert one document and print its _id");
  collection(insert);
  insert
      ->add_option("JSON", line.document, "the document, or - to read it from standard input; without _id it gets one")
      ->required();

  CLI::App* get = command(app, line, Command::kGet, "get", "Print the document with this _id");
  collection(get);
  get->add_option("ID", line.id,
                  "the _id: JSON if it is that (5, '\"5\"', '{\"$date\": ...}'), else a string as it stands (riga)")
      ->required();

  CLI::App* find = command(app, line, Command::kFind, "find", "Print the documents that match a query, one a line");
  collection(find);
  find->add_option("QUERY", line.query, "JSON: {\"path.to.field\": value, \"n\": {\"$gt\": 5}}; {} matches everything")->required();
  find->add_option("--sort", line.sort, "JSON: {\"path\": 1}, -1 for descending; several in their order")->option_text("JSON");
  find->add_option("--skip", line.skip, "leave out the first so many")->option_text("N");
  find->add_option("--limit", line.limit, "print at most so many")->option_text("N");
  find->add_option("--projection", line.projection, "JSON: {\"path\": 1} prints these fields, 0 all but these")->option_text("JSON");

  CLI::App* update = command(app, line, Command::kUpdate, "update", "Change one document that matches, or all");
  collection(update);
  update->add_option("FILTER", line.query, "which document, as in find")->required();
  update->add_option("UPDATE", line.update, "JSON: {\"$set\": {...}, \"$push\": {...}, ...}, or a document that replaces it")->required();
  update->add_flag("--many", line.many, "all that match, all or none");
  update
      ->add_option("--array-filters", line.array_filters,
                   "JSON: [{\"x\": {\"$gt\": 5}}, {\"y.name\": \"a\"}], a query for each $[x], $[y] in UPDATE's paths")
      ->option_text("JSON");

  CLI::App* upsert = command(app, line, Command::kUpsert, "upsert", "Change one document that matches; when none does, insert one");
  collection(upsert);
  upsert->add_option("FILTER", line.query, "which document, as in find; what it asks for by equality is inserted")->required();
  upsert->add_option("UPDATE", line.update, "as in update; {\"$setOnInsert\": {...}} counts when it inserts")->required();

  CLI::App* remove = command(app, line, Command::kDelete, "delete", "Delete one document that matches, or all");
  collection(remove);
  remove->add_option("FILTER", line.query, "which document, as in find")->required();
  remove->add_flag("--many", line.many, "all that match, all or none");

  CLI::App* count =
      command(app, line, Command::kCount, "count", "Print how many documents there are, or how many match");
  collection(count);
  count->add_option("QUERY", line.query, "as in find");

  CLI::App* import = command(
      app, line, Command::kImport, "import",
      "Insert the documents of a file: one a line, or one JSON array (told apart by itself). Stops at the first "
      "document that is refused, and names its line");
  collection(import);
  import->add_option("FILE", line.file, "the file, or - for standard input")->required();
  import->add_flag("--continue", line.keep_going,
                   "go on after a refused document; name each of them, and exit with 1 at the end");

  CLI::App* exports = command(
      app, line, Command::kExport, "export",
      "Write all documents of one moment, one a line, ordered by _id: numbers, strings (by their bytes), binary, "
      "booleans, times");
  collection(exports);
  exports->add_option("FILE", line.file, "the file, which appears when it is complete; - for standard output")
      ->capture_default_str();
  exports
      ->add_option("--sort-memory", raw.sort_memory,
                   "memory for sorting; what does not fit goes to temporary files in TMPDIR (64MiB)")
      ->option_text("SIZE");

  command(app, line, Command::kStats, "stats", "Print the server's figures as JSON");

  CLI::App* verify = command(app, line, Command::kVerify, "verify",
                             "Check all documents on the server's disk against their checksums and indexes while it works, and print what is damaged");
  verify->add_option("--rate", raw.rate, "read at most so much a second (64MiB)")->option_text("SIZE");
}

std::optional<std::string> check(CommandLine& line, const Raw& raw) {
  auto server = parse_endpoint(raw.connect);
  if (!server) return "--connect takes HOST:PORT, such as localhost:6900";
  auto timeout = parse_duration(raw.timeout);
  if (!timeout) return "--timeout takes a number with its unit, such as 500ms, 15s or 2m";
  auto memory = parse_bytes(raw.sort_memory);
  if (!memory) return "--sort-memory takes a size, such as 64MiB";
  auto rate = parse_bytes(raw.rate);
  if (!rate || *rate == 0) return "--rate takes a size, such as 64MiB";
  line.bytes_per_second = *rate;
  if (line.limit && *line.limit == 0) return "--limit must be at least 1";
  if (!line.user.empty())
    if (auto name = wire::check_user_name(line.user); !name) return "--user: " + name.error().message;
  if (!raw.server_key.empty()) {
    line.server_key = wire::key_from_text(raw.server_key);
    if (!line.server_key) return "--server-key takes 64 hex digits, as holdfastd user list prints them";
  }
  if (line.user.empty() && (!raw.server_key.empty() || !line.password_file.empty()))
    return "--password-file and --server-key are for --user; say as whom";
  if (line.known_servers.empty()) line.known_servers = usual_known_servers();
  line.role = *wire::role_of(raw.role);
  line.client.server = *server;
  line.client.timeout = *timeout;
  line.client.connect_timeout = std::min(*timeout, line.client.connect_timeout);
  line.sort_memory = *memory;
  return std::nullopt;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  int64_t unit = text.ends_with("ms")  ? 1'000'000
                 : text.ends_with('s') ? 1'000'000'000
                 : text.ends_with('m') ? 60'000'000'000
                                       : 0;
  if (unit == 0) return std::nullopt;
  text.remove_suffix(unit == 1'000'000 ? 2 : 1);
  auto n = number_from<int64_t>(text);
  if (!n || *n <= 0 || *n > 1'000'000'000'000'000'000 / unit) return std::nullopt;
  return nanoseconds(*n * unit);
}

std::optional<io::Endpoint> parse_endpoint(std::string_view text) {
  io::Endpoint out{"localhost", kDefaultPort};
  size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (host.contains(':') || text.empty()) return std::nullopt;
  if (!host.empty()) out.host = host;
  if (colon == text.npos) return out;
  auto port = number_from<uint16_t>(text.substr(colon + 1));
  if (!port || *port == 0) return std::nullopt;
  out.port = *port;
  return out;
}

std::variant<CommandLine, int> parse_command_line(int argc, char** argv) {
  CommandLine line;
  Raw raw;
  CLI::App app(kAbout, "holdfast");
  app.footer(kFooter);
  app.set_version_flag("--version", "holdfast " HOLDFAST_VERSION "\n", "Print the version and exit");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--connect", raw.connect, "the server (localhost:6900; HOLDFAST_CONNECT sets it too)")
      ->option_text("HOST:PORT")
      ->envname("HOLDFAST_CONNECT");
  app.add_option("--db", line.client.database, "the database; without it the server's default one")
      ->option_text("NAME");
  app.add_option("--timeout", raw.timeout, "how long one operation may take, with all its attempts (15s)")
      ->option_text("TIME");
  add_login(app, line, raw);
  add_commands(app, line, raw);
  add_user_commands(app, line, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& e) {
    app.exit(e);
    return kExitOk;
  } catch (const CLI::Success& e) {
    app.exit(e);
    return kExitOk;
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "holdfast: bad_request: %s; see holdfast --help\n", e.what());
    return kExitUsage;
  }
  if (auto wrong = check(line, raw)) {
    std::fprintf(stderr, "holdfast: bad_request: %s\n", wrong->c_str());
    return kExitUsage;
  }
  return line;
}

}  // namespace holdfast::cli
