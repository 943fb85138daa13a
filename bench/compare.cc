#include "bench/compare.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "bench/child.h"
#include "bench/load.h"

namespace holdfast::bench {
namespace {

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

uint16_t port_of(const std::string& text) { return static_cast<uint16_t>(std::stoul(text.substr(text.rfind(':') + 1))); }

/// An async server with a user, as whom the load logs in.
constexpr const char* kEncrypted = "encrypted";
constexpr const char* kUser = "bench";

struct Row {
  const char* name;
  const char* mode;
  Kind kind;
};
constexpr Row kRows[] = {{"insert_one_async", "async", Kind::kInsertOne},
                         {"find_by_id", "async", Kind::kFindById},
                         {"update_one_async", "async", Kind::kUpdateOne},
                         {"insert_many_50_async", "async", Kind::kInsertMany},
                         {"upsert_one_async", "async", Kind::kUpsertOne},
                         {"insert_numbered_async", "async", Kind::kInsertNumbered}, {"insert_numbered_sync", "sync", Kind::kInsertNumbered},
                         {"ping", "async", Kind::kPing},
                         {"insert_one_sync", "sync", Kind::kInsertOne},
                         {"insert_many_50_sync", "sync", Kind::kInsertMany},
                         {"insert_one_async_encrypted", kEncrypted, Kind::kInsertOne},
                         {"find_by_id_encrypted", kEncrypted, Kind::kFindById},
                         {"insert_many_50_async_encrypted", kEncrypted, Kind::kInsertMany},
                         {"ping_encrypted", kEncrypted, Kind::kPing}};

}  // namespace

void compare(const CompareOptions& o) {
  std::map<std::string, std::vector<double>> requests, documents, p50, p99;
  uint64_t errors = 0;
  std::string first_error;
  for (int round = 0; round < o.rounds; ++round) {
    std::map<std::string, Child> servers;
    ScratchDirectory scratch(o.scratch);
    auto as = [](Load load, std::string_view mode) {
      if (mode == kEncrypted) load.user = load.password = kUser;
      return load;
    };
    for (const char* mode : {"async", "sync", kEncrypted}) {
      bool guarded = std::string_view(mode) == kEncrypted;
      std::vector<std::string> words{o.server, "--data-path", scratch.path() + "/" + mode, "--port",
                                     "0",      "--sync-mode", guarded ? "async" : mode};
      if (guarded) words.insert(words.end(), {"--username", kUser, "--password", kUser});
      servers[mode] = Child::start(words, "holdfastd ready on ");
      Load load = as({.port = port_of(servers[mode].ready_rest()), .document_bytes = o.document_bytes}, mode);
      preload(load, load.ids);
    }
    Child echo = Child::start({o.self, "echo"}, "echo ready on ");
    auto measure = [&](const std::string& name, std::string_view mode, uint16_t port, Kind kind, uint64_t first_id) {
      Load load = as({.port = port,
                      .kind = kind,
                      .workers = o.workers,
                      .connections = o.workers,
                      .document_bytes = o.document_bytes,
                      .seconds = o.seconds,
                      .first_id = first_id},
                     mode);
      Figures f = run(load);
      requests[name].push_back(f.per_second());
      documents[name].push_back(f.documents_per_second());
      p50[name].push_back(f.p50_us);
      p99[name].push_back(f.p99_us);
      if (f.errors && errors == 0) first_error = name + ": " + f.first_error;
      errors += f.errors;
      std::fprintf(stderr, "round %d: %s\n", round + 1, json(name, f).c_str());
    };
    uint64_t first_id = uint64_t{1} << 32;
    for (const Row& row : kRows) {
      measure("echo", "", port_of(echo.ready_rest()), Kind::kEcho, 0);
      measure(row.name, row.mode, port_of(servers[row.mode].ready_rest()), row.kind, first_id += uint64_t{1} << 32);
    }
  }
  double base = median(requests["echo"]);
  std::string rows;
  for (auto& [name, v] : requests)
    rows += fmt::format(
        R"({}"{}":{{"requests_per_second":{:.0f},"documents_per_second":{:.0f},"to_echo":{:.3f},"p50_us":{:.1f},"p99_us":{:.1f}}})",
        rows.empty() ? "" : ",\n  ", name, median(v), median(documents[name]), median(v) / base, median(p50[name]), median(p99[name]));
  double many = median(documents["insert_many_50_async"]) / median(documents["insert_one_async"]);
  fmt::print("{{\"rounds\":{},\"workers\":{},\"document_bytes\":{},\"errors\":{},\"first_error\":\"{}\",\n"
             " \"insert_many_to_insert_one_documents\":{:.2f},\n \"medians\":{{\n  {}}}}}\n",
             o.rounds, o.workers, o.document_bytes, errors, first_error, many, rows);
}

}  // namespace holdfast::bench
