// Undefined symbols, by nm: what an object needs from elsewhere. An include rule can be got round by declaring a
// function oneself, and a library's inline function can read a clock without anybody noticing; this cannot.
#include <cstdio>
#include <filesystem>
#include <memory>

#include "tests/tidy/checks.h"

namespace holdfast::tidy {
namespace {

struct Symbol {
  std::string source;
  std::string name;
};

// One run of nm for all objects: `FILE: NAME U ...` per line.
std::vector<Symbol> undefined(const std::map<std::string, std::string>& source_of) {
  std::string command = "nm --print-file-name --undefined-only --format=posix";
  for (const auto& [object, source] : source_of) command += " '" + object + "'";
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::vector<Symbol> out;
  char line[16'384];
  while (pipe && std::fgets(line, sizeof line, pipe.get())) {
    std::string text(line);
    size_t colon = text.find(": ");
    auto source = source_of.find(text.substr(0, colon));
    if (colon == std::string::npos || source == source_of.end()) continue;
    std::string name = text.substr(colon + 2);
    out.push_back({source->second, name.substr(0, name.find(' '))});
  }
  return out;
}

bool allowed(const Symbol& s, const Rules& rules) {
  auto exception = rules.exceptions.find(s.source);
  if (exception != rules.exceptions.end() && matches(s.name, exception->second)) return true;
  return s.name.starts_with("_Z") ? !matches(s.name, rules.refused) : matches(s.name, rules.symbols);
}

}  // namespace

void check_symbols(const std::vector<Object>& objects, const Rules& rules, Report& report) {
  std::map<std::string, std::string> source_of;
  for (const Object& o : objects) {
    if (rules.may_touch_os(o.source)) continue;
    if (std::filesystem::exists(o.path)) source_of[o.path] = o.source;
    else report.push_back(o.source + ":1: is not compiled; build everything before this test (./dev build)");
  }
  if (source_of.empty()) return;
  for (const Symbol& s : undefined(source_of))
    if (!allowed(s, rules))
      report.push_back(s.source + ":1: needs the symbol " + s.name +
                       "; clocks, entropy, threads, files and sockets come through the host (io/host.h); a pure function may be "
                       "named in tests/tidy/layers.txt");
}

}  // namespace holdfast::tidy
