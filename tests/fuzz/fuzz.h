// How a fuzzer is written: a function that takes any bytes, returns normally whatever they are, and aborts (FUZZ_CHECK,
// a sanitizer) when a promise is broken.
//
//   std::vector<Buffer> seeds() { return {...}; } // a few well-formed inputs, made by the code that writes them
//   HOLDFAST_FUZZER(journal, seeds) { (void)parse(input); }
//
// The body sees `holdfast::Bytes input`. The bytes of a fuzzed input are copied to a block of their exact size, so that
// a read past the end is seen. Then: holdfast_fuzzer(journal SOURCES journal_fuzz.cc DEPENDS ...) in CMakeLists.txt.
// What a fuzzer once found goes into tests/fuzz/corpus/journal/ under a name that says what it was.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "io/base/bytes.h"

namespace holdfast::fuzz {

using Seeds = std::vector<Buffer> (*)();
using Entry = void (*)(Bytes input);

/// Makes the fuzzer known to the corpus test; returns so that a static initializer can call it.
bool add(std::string_view name, Seeds seeds, Entry entry);

/// For a fuzz program: `--seeds=DIR` among the arguments writes the seeds there and exits.
void write_seeds_if_asked(int argc, char** argv, Seeds seeds);

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: FUZZ_CHECK(%s) does not hold for this input\n", file, line, condition);
  std::abort();
}

}  // namespace holdfast::fuzz

#define FUZZ_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::holdfast::fuzz::check_failed(#condition, __FILE__, __LINE__))

#ifdef HOLDFAST_FUZZ_PROGRAM
#define HOLDFAST_FUZZER(name, seeds)                                                     \
  static void fuzz_##name(::holdfast::Bytes input);                                      \
  extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {                         \
    ::holdfast::fuzz::write_seeds_if_asked(*argc, *argv, seeds);                         \
    return 0;                                                                            \
  }                                                                                      \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {              \
    fuzz_##name(::holdfast::Bytes(reinterpret_cast<const char*>(data), size));           \
    return 0;                                                                            \
  }                                                                                      \
  static void fuzz_##name([[maybe_unused]] ::holdfast::Bytes input)
#else
#define HOLDFAST_FUZZER(name, seeds)                                                     \
  static void fuzz_##name(::holdfast::Bytes input);                                      \
  [[maybe_unused]] static const bool added_##name = ::holdfast::fuzz::add(#name, seeds, fuzz_##name); \
  static void fuzz_##name([[maybe_unused]] ::holdfast::Bytes input)
#endif
