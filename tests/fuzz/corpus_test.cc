// Every fuzzer as a cheap regression test: its seeds and its committed corpus, each as it is, cut off everywhere, and
// changed at random from a fixed seed.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "io/base/random.h"
#include "tests/fuzz/fuzz.h"

namespace holdfast::fuzz {
namespace {

constexpr size_t kCuts = 300;        // per input
constexpr uint64_t kChanges = 2000;  // per fuzzer

struct Fuzzer {
  Seeds seeds;
  Entry entry;
};

std::map<std::string_view, Fuzzer>& fuzzers() {
  static std::map<std::string_view, Fuzzer> all;
  return all;
}

std::vector<Buffer> committed(std::string_view name) {
  std::vector<std::filesystem::path> files;
  std::filesystem::path directory = std::filesystem::path(HOLDFAST_SOURCE_DIR "/tests/fuzz/corpus") / name;
  if (std::filesystem::is_directory(directory))
    for (const auto& f : std::filesystem::directory_iterator(directory)) files.push_back(f.path());
  std::ranges::sort(files);
  std::vector<Buffer> out;
  for (const auto& f : files) {
    std::ifstream in(f, std::ios::binary);
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return out;
}

// A copy of exactly the input's size, so that AddressSanitizer sees a read past it.
void feed(Entry entry, Bytes input) {
  auto copy = std::make_unique<char[]>(input.size());
  std::ranges::copy(input, copy.get());
  entry(Bytes(copy.get(), input.size()));
}

Buffer changed(const std::vector<Buffer>& inputs, Rng& rng) {
  Buffer b = inputs[rng.below(inputs.size())];
  for (uint64_t n = rng.between(1, 4); n > 0; --n) {
    const Buffer& other = inputs[rng.below(inputs.size())];
    size_t at = rng.below(b.size() + 1);
    switch (rng.below(5)) {
      case 0: b.insert(at, 1, static_cast<char>(rng.next())); break;
      case 1: b.erase(at, rng.below(8)); break;
      case 2: b = b.substr(0, at) + other.substr(rng.below(other.size() + 1)); break;
      case 3:
        if (at < b.size()) b[at] = static_cast<char>(b[at] ^ (1 << rng.below(8)));
        break;
      default:
        if (at < b.size()) b[at] = static_cast<char>(rng.chance(1, 2) ? 0xff : rng.next());
    }
  }
  return b;
}

void run(std::string_view name, const Fuzzer& fuzzer) {
  std::vector<Buffer> inputs = fuzzer.seeds();
  ASSERT_FALSE(inputs.empty()) << "a fuzzer without seeds starts blind";
  for (Buffer& b : committed(name)) inputs.push_back(std::move(b));
  for (const Buffer& input : inputs) {
    feed(fuzzer.entry, input);
    size_t step = std::max<size_t>(1, input.size() / kCuts);
    for (size_t n = 0; n < input.size(); n += step) feed(fuzzer.entry, Bytes(input).substr(0, n));
  }
  Rng rng(1, name);
  for (uint64_t i = 0; i < kChanges; ++i) feed(fuzzer.entry, changed(inputs, rng));
}

TEST(FuzzCorpus, EveryFuzzerHoldsOnItsCorpusAndOnChangedCopies) {
  ASSERT_FALSE(fuzzers().empty());
  for (const auto& [name, fuzzer] : fuzzers()) {
    SCOPED_TRACE(name);
    run(name, fuzzer);
  }
}

}  // namespace

bool add(std::string_view name, Seeds seeds, Entry entry) {
  return fuzzers().emplace(name, Fuzzer{seeds, entry}).second;
}

}  // namespace holdfast::fuzz
