// holdfast-chaos enumerate: crash enumeration (suite/enumerate), a process per scenario, and its table.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace holdfast::chaos {

struct EnumerateArguments {
  std::string scenario;  ///< empty: all
  uint64_t cap = 64;
  uint32_t depth = 2;
  int jobs = 1;
  std::vector<std::string> mutants;
  std::string part = "0/1";
  std::string json;
  std::string at;     ///< one image alone
  std::string trace;  ///< with `at`: where its story goes
  std::string self;   ///< this program
  bool first_failure = false;  ///< ends with it
};

/// Adds the command's options.
void add_enumerate_options(CLI::App& command, EnumerateArguments& arguments);
int enumerate_command(const EnumerateArguments& arguments);
/// One scenario in this process; the result as a line on standard output.
int enumerate_one_command(const EnumerateArguments& arguments);

/// For `mutants`: enumerates until a failure. Its first sentence; nothing: not caught.
struct EnumerationCatch {
  std::string what;
  uint64_t images = 0;
  double cpu_seconds = 0;
};
EnumerationCatch enumerate_until_failure(const EnumerateArguments& arguments);

}  // namespace holdfast::chaos
