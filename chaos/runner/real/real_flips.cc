#include "chaos/runner/real/real_flips.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "chaos/runner/real/image_files.h"
#include "chaos/runner/real/server_process.h"
#include "chaos/suite/flips.h"
#include "chaos/workload/documents.h"
#include "client/client.h"
#include "io/base/msgpack.h"
#include "io/real/real_host.h"
#include "io/sync.h"

namespace holdfast::chaos {
namespace {

namespace fs = std::filesystem;

constexpr double kPatience = 900;
constexpr uint64_t kImagesPerDirectory = 10;
constexpr int kRefused = 3;

struct FlipsReport {
  uint64_t images = 0, refused = 0, corrupt = 0, harmless = 0, verify_found = 0, unnoticed = 0, repaired = 0, not_repairable = 0;
  std::vector<std::string> violations;
};

/// What the server told of one directory.
struct Seen {
  bool refused = false;
  uint64_t corrupt = 0;
  std::map<std::string, std::optional<Buffer>> documents;  ///< by id, as far as they were answered
  std::optional<uint64_t> count;
  std::optional<uint64_t> scanned;
  bool complains() const { return refused || corrupt > 0; }
};

class RealFlips {
 public:
  RealFlips(const RealOptions& options, std::string scratch)
      : options_(options), scratch_(std::move(scratch)), real_({}), host_(real_.host()), jobs_(static_cast<uint64_t>(options.jobs)) {}

  FlipsReport run() {
    real_.run(main());
    return std::move(report_);
  }

 private:
  struct Image {
    uint64_t number;
    const SmallTruth* truth;
    std::string directory;
    std::string file;  ///< in it
    std::string what;
    std::vector<std::string> wrong;
  };

  io::Task<void> main() {
    checks_.emplace(co_await io::this_executor());
    uint64_t images = options_.images.value_or(200);
    std::deque<SmallDirectory> made;
    for (uint64_t first = 0; first < images; first += kImagesPerDirectory) {
      if (first / kImagesPerDirectory % options_.parts != options_.part - 1) continue;
      // The odd ones are made with short id hashes, which a real server does not have.
      uint64_t number = 2 * (options_.seed - 1 + first / kImagesPerDirectory);
      const SmallDirectory& directory = made.emplace_back(make_small_directory(flip_shape(number), {}));
      for (uint64_t n = first; n < std::min(images, first + kImagesPerDirectory); ++n) {
        co_await jobs_.acquire(1);
        checks_->spawn(check(make_image(directory, number, n)));
      }
    }
    co_await checks_->drained();
  }

  Image make_image(const SmallDirectory& from, uint64_t directory_number, uint64_t number) {
    Image image{.number = number, .truth = &from.truth, .directory = fmt::format("{}/{}", scratch_, number), .file = {}, .what = {}, .wrong = {}};
    fs::create_directory(image.directory);
    write_image(*from.disk, "data", image.directory + "/data");
    Rng random = Rng(options_.seed, "real flips").fork(fmt::format("image {}", number));
    auto [file, offset] = pick_byte(image.directory + "/data", random);
    auto bit = static_cast<uint8_t>(random.below(8));
    image.file = file;
    image.what = fmt::format("directory {}, image {}: {} at {}, bit {}", directory_number, number, file, offset, bit);
    flip_bit(image.directory + "/data/" + file, offset, bit);
    return image;
  }

  /// Any byte of any file, but for blocks that are nothing but zeros: of a segment they are the most, and never were anything else.
  static std::pair<std::string, uint64_t> pick_byte(const fs::path& data, Rng& random) {
    constexpr uint64_t kBlock = 512;
    std::vector<std::pair<std::string, uint64_t>> blocks;
    std::vector<std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(data))
      if (entry.is_regular_file() && entry.path().filename() != "LOCK") files.push_back(fs::relative(entry.path(), data));
    std::ranges::sort(files);
    std::map<std::string, uint64_t> sizes;
    for (const std::string& file : files) {
      Buffer bytes = read_file(data / file);
      sizes[file] = bytes.size();
      for (uint64_t at = 0; at < bytes.size(); at += kBlock)
        if (Bytes(bytes).substr(at, kBlock).find_first_not_of('\0') != Bytes::npos) blocks.emplace_back(file, at);
    }
    const auto& [file, at] = blocks[random.below(blocks.size())];
    return {file, at + random.below(std::min(kBlock, sizes[file] - at))};
  }

  io::Task<void> check(Image image) {
    auto verify = co_await command(image, "verify", {});
    if (!verify.sound && !verify.found) image.wrong.push_back("verify: " + verify.text);
    Seen seen = co_await look(image);
    judge(image, seen);
    if (seen.complains() && !verify.found) image.wrong.push_back("the server complains, and verify finds nothing");
    ++report_.images;
    ++(seen.refused ? report_.refused : seen.corrupt > 0 ? report_.corrupt : report_.harmless);
    report_.verify_found += verify.found;
    report_.unnoticed += !verify.found && !seen.complains();
    if (seen.complains() && image.wrong.empty() && image.number % 2 == 0) co_await repair(image);
    if (image.wrong.empty()) {
      fs::remove_all(image.directory);
    } else {
      std::string what = image.what;
      for (const std::string& w : image.wrong) what += "\n  " + w;
      report_.violations.push_back(what + "\n  " + image.directory);
    }
    jobs_.release(1);
  }

  struct Command {
    bool sound = false;  ///< exit code 0
    bool found = false;  ///< exit code 3
    std::string text;
  };
  io::Task<Command> command(Image& image, std::string what, std::vector<std::string> words) {
    ServerProcess process = ServerProcess::command({.program = options_.program, .directory = image.directory, .flags = {}}, what, std::move(words));
    std::optional<int> status = co_await wait_ended(process, kPatience);
    if (std::string found = find_report(process.log()); !found.empty()) image.wrong.push_back(what + " reported:\n" + found);
    co_return Command{exited_with(status, 0), exited_with(status, kRefused), describe_end(status) + "; it said:\n" + process.log()};
  }

  io::Task<Seen> look(Image& image) {
    Seen seen;
    ServerProcess server = ServerProcess::start({.program = options_.program, .directory = image.directory, .flags = options_.flags});
    ServerProcess::State state = co_await wait_started(server, kPatience);
    if (state == ServerProcess::State::kReady) {
      co_await ask_everything(image, server.port(), seen);
      server.signal(SIGTERM);
      std::optional<int> status = co_await wait_ended(server, kPatience);
      if (!exited_with(status, 0)) image.wrong.push_back(fmt::format("after SIGTERM: {} instead of exit code 0; it said:\n{}", describe_end(status), server.log()));
    } else {
      seen.refused = true;
      if (!exited_with(server.status(), kRefused))
        image.wrong.push_back(fmt::format("it neither started nor refused with exit code 3: {}; it said:\n{}", describe_end(server.status()), server.log()));
      else if (!names(server.log(), image.file))
        image.wrong.push_back("it refused to start without naming the file:\n" + server.log());
    }
    if (std::string found = find_report(server.log()); !found.empty()) image.wrong.push_back("the server reported:\n" + found);
    co_return seen;
  }

  /// The file itself or, of what exists in several, all of its kind.
  static bool names(const std::string& log, const std::string& file) {
    std::string name = fs::path(file).filename();
    return log.contains(name.starts_with("MANIFEST") ? "MANIFEST" : name);
  }

  template <class T>
  bool take(Image& image, Seen& seen, const Result<T>& answer, std::string_view what) {
    if (answer) return true;
    ++seen.corrupt;
    if (answer.error().code != Code::kCorrupt) image.wrong.push_back(fmt::format("{} failed with {}", what, answer.error().text()));
    return false;
  }

  io::Task<void> ask_everything(Image& image, uint16_t port, Seen& seen) {
    client::Client client(host_, {.server = {"127.0.0.1", port}, .database = kSmallDatabase, .connections = 1,
                                  .timeout = seconds(600),
                                  .connect_timeout = seconds(60), .max_attempts = 2});
    client::Collection things = client.collection(kSmallCollection);
    std::vector<std::string> keys = image.truth->absent;
    for (const auto& [key, document] : image.truth->documents) keys.push_back(key);
    keys.push_back("never there");
    for (const std::string& key : keys) {
      auto found = co_await things.find_by_id(key);
      if (take(image, seen, found, "reading " + key)) seen.documents[key] = std::move(found->value);
    }
    auto count = co_await things.count();
    if (take(image, seen, count, "count")) seen.count = count->value;
    Buffer everything;
    msgpack::Writer(everything).map(0);
    auto all = co_await things.find(std::move(everything));
    if (take(image, seen, all, "find")) seen.scanned = all->value.size();
    co_await client.close();
  }

  static void judge(Image& image, const Seen& seen) {
    const auto& truth = image.truth->documents;
    for (const auto& [key, told] : seen.documents) {
      auto written = truth.find(key);
      if (written == truth.end() ? told.has_value() : !told || *told != written->second)
        image.wrong.push_back(fmt::format("{} was answered {}", key, told ? "with other bytes" : "as not there"));
    }
    for (std::optional<uint64_t> n : {seen.count, seen.scanned})
      if (n && *n != truth.size()) image.wrong.push_back(fmt::format("count or find shows {} documents of {}", *n, truth.size()));
  }

  /// Afterwards it starts and complains of nothing; what it tells was written at some time.
  io::Task<void> repair(Image& image) {
    Command repaired = co_await command(image, "repair", {"--accept-loss"});
    if (!repaired.sound) {
      ++report_.not_repairable;
      if (!repaired.found) image.wrong.push_back("repair: " + repaired.text);
      co_return;
    }
    ++report_.repaired;
    Seen seen = co_await look(image);
    if (seen.complains()) image.wrong.push_back("after its repair the server still complains; repair: " + repaired.text);
    for (const auto& [key, told] : seen.documents)
      if (told && !read_document(*told)) image.wrong.push_back("after its repair " + key + " is what nobody wrote");
    if (seen.count != seen.scanned) image.wrong.push_back("after its repair count and find differ");
  }

  const RealOptions& options_;
  std::string scratch_;
  real::RealHost real_;
  io::Host& host_;
  io::Semaphore jobs_;
  std::optional<io::TaskGroup> checks_;
  FlipsReport report_;
};

}  // namespace

int run_real_flips(const RealOptions& options) {
  std::string scratch = fresh_directory(options.images_in, "real-flips");
  double begin = monotonic_seconds();
  FlipsReport r = RealFlips(options, scratch).run();
  for (const std::string& v : r.violations) fmt::print(stderr, "{}\n", v);
  if (r.violations.empty() && !options.keep) fs::remove_all(scratch);
  fmt::print(
      "real-flips: {} flipped bits, {} violations, {:.1f} s\n"
      "  the server refused {}, answered corrupt {}, noticed nothing {}; verify found {}; noticed by neither, and harmless {}\n"
      "  repaired and served again {}, beyond repair {}\n",
      r.images, r.violations.size(), monotonic_seconds() - begin, r.refused, r.corrupt, r.harmless, r.verify_found, r.unnoticed, r.repaired, r.not_repairable);
  return r.violations.empty() ? 0 : 1;
}

}  // namespace holdfast::chaos
