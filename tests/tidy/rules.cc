#include "tests/tidy/rules.h"

#include <fnmatch.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace holdfast::tidy {
namespace {

Words split(const std::string& line) {
  std::istringstream in(line);
  Words words;
  for (std::string w; in >> w;) words.push_back(w);
  return words;
}

void append(Words& to, auto from, auto until) { to.insert(to.end(), from, until); }

// Adds one line's rule; false when the line is not understood.
bool add(Rules& rules, const Words& w) {
  if (w.size() < 2) return false;
  auto rest = w.begin() + 1;
  if (w[0] == "layer") {
    if (w.size() < 3 || w[2] != "->") return false;
    rules.layers[w[1]] = Words(w.begin() + 3, w.end());
  } else if (w[0] == "header") {
    auto in = std::find(rest, w.end(), "in");
    if (in == w.end()) return false;
    rules.headers.push_back({Words(rest, in), Words(in + 1, w.end())});
  } else if (w[0] == "columns") {
    if (w.size() < 4 || w[2] != "in") return false;
    rules.columns = std::stoul(w[1]);
    rules.columns_in = Words(w.begin() + 3, w.end());
  } else if (w[0] == "except") {
    append(rules.exceptions[w[1]], rest + 1, w.end());
  } else if (w[0] == "os") {
    append(rules.os, rest, w.end());
  } else if (w[0] == "symbol") {
    append(rules.symbols, rest, w.end());
  } else if (w[0] == "refuse") {
    append(rules.refused, rest, w.end());
  } else if (w[0] == "readme") {
    append(rules.readmes, rest, w.end());
  } else if (w[0] == "top") {
    append(rules.top, rest, w.end());
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool matches(const std::string& name, const Words& patterns) {
  return std::ranges::any_of(patterns, [&](const std::string& p) { return fnmatch(p.c_str(), name.c_str(), 0) == 0; });
}

bool covered(const std::string& path, const Words& patterns) {
  return std::ranges::any_of(patterns, [&](const std::string& p) { return path.starts_with(p + "/"); }) ||
         matches(path, patterns);
}

std::string Rules::layer_of(const std::string& path) const {
  std::string best;
  for (const auto& [folder, includes] : layers)
    if (path.starts_with(folder + "/") && folder.size() > best.size()) best = folder;
  return best;
}

Rules read_rules(const std::string& file) {
  Rules rules;
  std::ifstream in(file);
  if (!in) rules.problem = file + ":1: cannot be read";
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    Words words = split(line);
    if (words.empty() || words[0].starts_with('#')) continue;
    if (!add(rules, words))
      rules.problem = file + ":" + std::to_string(number) + ": is no rule; see the comments there";
  }
  for (auto& header : rules.headers)
    if (std::erase(header.places, "os") > 0) append(header.places, rules.os.begin(), rules.os.end());
  return rules;
}

}  // namespace holdfast::tidy
