// The checks. Each adds one line per violation: `file:line: what is wrong; what to do`. They read files and run nm,
// nothing else.
#pragma once

#include <string>
#include <vector>

#include "tests/tidy/rules.h"

namespace holdfast::tidy {

struct Source {
  std::string path;  ///< from the top, e.g. io/base/error.h
  std::vector<std::string> lines;
  bool ends_with_newline = true;
};

/// An object file and the source that it was compiled from (path from the top).
struct Object {
  std::string path;
  std::string source;
};

using Report = std::vector<std::string>;

/// Every file below `top` that the project's rules are about; without hidden folders, build/ and data directories.
/// Sorted.
std::vector<Source> read_tree(const std::string& top);
/// What compile_commands.json in `build` says is compiled from sources below `top`.
std::vector<Object> read_objects(const std::string& build, const std::string& top);

/// Arrows of #include "..." and the places of #include <...>.
void check_includes(const Source& source, const Rules& rules, Report& report);
/// Names, length of lines, blanks, leading comments.
void check_text(const Source& source, const Rules& rules, Report& report);
/// Nothing unexpected at the top, every source in a layer.
void check_tree(const std::string& top, const std::vector<Source>& sources, const Rules& rules, Report& report);
/// A README.md in each top folder, and each that the rules name, that has sources.
void check_readmes(const std::vector<Source>& sources, const Rules& rules, Report& report);
/// Undefined symbols: nothing of the operating system outside its places.
void check_symbols(const std::vector<Object>& objects, const Rules& rules, Report& report);

/// What is no violation, but worth a look: files over 600 lines, and long lines where they are not yet refused.
Report warnings(const std::vector<Source>& sources, const Rules& rules);
size_t columns(const std::string& line);

}  // namespace holdfast::tidy
