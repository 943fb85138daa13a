// Reading the tree and the list of objects, and the checks of the tree as a whole.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/tidy/checks.h"

namespace holdfast::tidy {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongFile = 600;

bool is_code(const std::string& path) { return path.ends_with(".cc") || path.ends_with(".h"); }

bool ours(const fs::path& name) {
  return !name.string().starts_with(".") && name != "build" && !name.string().starts_with("holdfast-data");
}

bool is_text_of_ours(const fs::path& p) {
  auto e = p.extension();
  return e == ".cc" || e == ".h" || e == ".md" || e == ".txt" || e == ".sh" || e == ".cmake" || p.filename() == "dev";
}

Source read(const fs::path& file, std::string path) {
  Source s{std::move(path), {}, true};
  std::ifstream in(file, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    s.ends_with_newline = !in.eof();
    s.lines.push_back(line);
  }
  return s;
}

// The word that follows `flag` in a line of compile_commands.json.
std::string argument(const std::string& line, const std::string& flag) {
  size_t at = line.find(" " + flag + " ");
  if (at == std::string::npos) return {};
  at += flag.size() + 2;
  return line.substr(at, line.find_first_of(" \"", at) - at);
}

}  // namespace

std::vector<Source> read_tree(const std::string& top) {
  std::vector<Source> out;
  for (auto it = fs::recursive_directory_iterator(top); it != fs::recursive_directory_iterator(); ++it) {
    if (!ours(it->path().filename())) {
      it.disable_recursion_pending();
      continue;
    }
    if (it->is_regular_file() && is_text_of_ours(it->path()))
      out.push_back(read(it->path(), fs::relative(it->path(), top).string()));
  }
  std::ranges::sort(out, {}, &Source::path);
  return out;
}

std::vector<Object> read_objects(const std::string& build, const std::string& top) {
  std::vector<Object> out;
  std::ifstream in(build + "/compile_commands.json");
  for (std::string line; std::getline(in, line);) {
    if (!line.contains("\"command\"")) continue;
    std::string object = argument(line, "-o");
    std::string source = argument(line, "-c");
    if (!object.ends_with(".o") || !source.starts_with(top + "/")) continue;
    source = source.substr(top.size() + 1);
    if (!source.starts_with("build/")) out.push_back({build + "/" + object, source});
  }
  return out;
}

void check_tree(const std::string& top, const std::vector<Source>& sources, const Rules& rules, Report& report) {
  for (const auto& entry : fs::directory_iterator(top)) {
    std::string name = entry.path().filename().string();
    if (ours(name) && !matches(name, rules.top))
      report.push_back(name + ":1: does not belong at the top level; move it, or name it in tests/tidy/layers.txt");
  }
  for (const Source& s : sources)
    if (is_code(s.path) && s.path.contains('/') && rules.layer_of(s.path).empty())
      report.push_back(s.path + ":1: lies in no layer; name its folder in tests/tidy/layers.txt");
}

void check_readmes(const std::vector<Source>& sources, const Rules& rules, Report& report) {
  std::set<std::string> need, have;
  for (const Source& s : sources) {
    if (s.path.ends_with("/README.md")) have.insert(s.path.substr(0, s.path.rfind('/')));
    if (!is_code(s.path) || !s.path.contains('/')) continue;
    need.insert(s.path.substr(0, s.path.find('/')));
    for (const std::string& folder : rules.readmes)
      if (s.path.starts_with(folder + "/")) need.insert(folder);
  }
  for (const std::string& folder : need)
    if (!have.contains(folder))
      report.push_back(folder +
                       "/README.md:1: is missing; say what the folder is for, its types, invariants and decisions");
}

Report warnings(const std::vector<Source>& sources, const Rules& rules) {
  Report out;
  for (const Source& s : sources) {
    if (!is_code(s.path)) continue;
    auto at = s.path + ":" + std::to_string(s.lines.size()) + ": ";
    if (s.lines.size() > kLongFile)
      out.push_back(at + "more than " + std::to_string(kLongFile) + " lines; think of a split");
    auto wide = std::ranges::count_if(s.lines, [&](const std::string& l) { return columns(l) > rules.columns; });
    if (wide > 0)
      out.push_back(at + std::to_string(wide) + " lines longer than " + std::to_string(rules.columns) + " columns");
  }
  return out;
}

}  // namespace holdfast::tidy
