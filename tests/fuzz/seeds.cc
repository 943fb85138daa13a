// Part of every fuzz program: writes its seeds for libFuzzer to start from.
#include <filesystem>
#include <fstream>

#include "tests/fuzz/fuzz.h"

namespace holdfast::fuzz {

void write_seeds_if_asked(int argc, char** argv, Seeds seeds) {
  constexpr std::string_view kFlag = "--seeds=";
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (!argument.starts_with(kFlag)) continue;
    std::filesystem::path directory = argument.substr(kFlag.size());
    std::filesystem::create_directories(directory);
    size_t n = 0;
    for (const Buffer& seed : seeds()) {
      std::ofstream out(directory / ("seed-" + std::to_string(n++)), std::ios::binary);
      out.write(seed.data(), static_cast<std::streamsize>(seed.size()));
    }
    std::exit(0);
  }
}

}  // namespace holdfast::fuzz
