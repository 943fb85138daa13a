// Rules: the table of tests/tidy/layers.txt, and what asks it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::tidy {

using Words = std::vector<std::string>;

/// Whether `path` matches a pattern, or lies below a folder that does.
bool covered(const std::string& path, const Words& patterns);
/// Whether `name` as a whole matches a pattern.
bool matches(const std::string& name, const Words& patterns);

struct Rules {
  struct Header {
    Words names;
    Words places;
  };
  std::map<std::string, Words> layers;  ///< folder -> folders it may include
  Words os;
  size_t columns = 0;     ///< the longest line of code
  Words columns_in;       ///< where a longer one is a violation
  std::vector<Header> headers;  ///< the first whose names match decides
  Words symbols;
  Words refused;
  std::map<std::string, Words> exceptions;  ///< source -> symbols
  Words readmes;
  Words top;
  std::string problem;  ///< why the file could not be read; empty when it could

  /// The deepest layer that contains `path`; empty when none does.
  std::string layer_of(const std::string& path) const;
  bool may_touch_os(const std::string& path) const { return covered(path, os); }
};

Rules read_rules(const std::string& file);

}  // namespace holdfast::tidy
