#include "chaos/suite/flips.h"

#include <fmt/format.h>

#include "chaos/suite/media_exam.h"

namespace holdfast::chaos {
namespace {

/// One directory, and what is wrong with it, one thing at a time.
class Media {
 public:
  Media(const SeedOptions& options, uint64_t directory)
      : seed_(options.seed),
        random_(options.seed, "media"),
        made_(make_small_directory(flip_shape(directory), options.mutants)),
        exam_(options, flip_shape(directory), made_.truth) {
    // At rest: what nobody synced, such as index files, has reached the disk as well.
    made_.disk->settle();
    for (auto& disk : made_.earlier) disk->settle();
    exam_.check_sound(*made_.disk, "before any damage");
    exam_.result().configuration =
        fmt::format("directory={} documents={} hash_bits={}", directory, made_.truth.documents.size(),
                    flip_shape(directory).options().id_hash_bits);
  }

  SeedResult flip_bits() {
    uint64_t number = 0;
    for (const std::string& path : files()) {
      Buffer bytes = content(*made_.disk, path);
      for (uint64_t offset = 0; offset < bytes.size() && !exam_.enough(); ++offset) {
        if (!near_something(bytes, offset)) continue;
        if (number++ % kFlipSeedsPerDirectory != (seed_ - 1) % kFlipSeedsPerDirectory) continue;
        auto bit = static_cast<uint8_t>(random_.below(8));
        attempt(fmt::format("{} at {}, bit {}", path, offset, bit),
                [&](sim::DiskModel& disk, sim::FaultCounts& counts) { return disk.flip_bit(path, offset, bit, counts); });
      }
    }
    return std::move(exam_.result());
  }

  SeedResult spoil_sectors() {
    using sim::Fault;
    const std::vector<std::string> all = files();
    for (const std::string& path : all) {
      Buffer bytes = content(*made_.disk, path), old = content(*made_.earlier.back(), path);
      for (uint64_t at = 0; at < bytes.size() && !exam_.enough(); at += sim::kSectorBytes) {
        if (!near_something(bytes, at)) continue;
        uint64_t length = std::min<uint64_t>(sim::kSectorBytes, bytes.size() - at);
        overwrite(path, at, Buffer(length, '\0'), Fault::kLostWrite);
        const std::string& other = all[random_.below(all.size())];
        Buffer elsewhere = content(*made_.disk, other);
        elsewhere = elsewhere.substr(random_.below(elsewhere.size() / sim::kSectorBytes + 1) * sim::kSectorBytes, length);
        if (!elsewhere.empty()) overwrite(path, at, std::move(elsewhere), Fault::kMisdirected);
        uint64_t block = at / 4096 * 4096;
        if (at == block && block < old.size())
          overwrite(path, block, old.substr(block, std::min<uint64_t>(4096, bytes.size() - block)), Fault::kOldBlock);
        exam_.io_errors = true;
        attempt(fmt::format("{} at {}, unreadable", path, at),
                [&](sim::DiskModel& disk, sim::FaultCounts& counts) { return disk.make_unreadable(path, at, length, counts); });
        exam_.io_errors = false;
      }
    }
    return std::move(exam_.result());
  }

 private:
  std::vector<std::string> files() const {
    std::vector<std::string> out;
    // What was removed may still have a durable name.
    for (std::string& path : sim::DurableView(*made_.disk).files(kSmallData))
      if (!path.ends_with("LOCK") && made_.disk->find(path)) out.push_back(std::move(path));
    return out;
  }
  static Buffer content(const sim::DiskModel& disk, const std::string& path) {
    auto bytes = sim::DurableView(disk).read(path);
    return bytes ? std::move(*bytes) : Buffer();
  }
  void overwrite(const std::string& path, uint64_t at, Buffer bytes, sim::Fault kind) {
    if (content(*made_.disk, path).compare(at, bytes.size(), bytes) == 0) return;
    attempt(fmt::format("{} at {}, {}", path, at, sim::name(kind)),
            [&](sim::DiskModel& disk, sim::FaultCounts& counts) { return disk.overwrite(path, at, bytes, kind, counts); });
  }
  void attempt(std::string what, const MediaExam::Spoil& spoil) {
    exam_.repair(exam_.attempt(*made_.disk, std::move(what), spoil));
  }

  /// Most of a segment is zeros that were never anything else; of those only what lies near other bytes is flipped.
  static bool near_something(Bytes bytes, uint64_t offset) {
    uint64_t from = offset / 512 * 512;
    return bytes.substr(from, 512).find_first_not_of('\0') != Bytes::npos;
  }

  const uint64_t seed_;
  Rng random_;
  SmallDirectory made_;
  MediaExam exam_;
};

}  // namespace

SmallShape flip_shape(uint64_t number) { return {.number = number, .killed = number / 2 % 2 == 0}; }

SeedResult run_bit_flips(const SeedOptions& options) {
  return Media(options, (options.seed - 1) / kFlipSeedsPerDirectory).flip_bits();
}

SeedResult run_bad_sectors(const SeedOptions& options) { return Media(options, options.seed - 1).spoil_sectors(); }

}  // namespace holdfast::chaos
