#include "chaos/runner/real/power_image.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "chaos/runner/real/image_files.h"
#include "chaos/runner/real/server_stats.h"
#include "chaos/workload/documents.h"
#include "io/base/assert.h"

namespace holdfast::chaos {
namespace {

namespace fs = std::filesystem;

/// A server that needs longer has not started, or not stopped. Far beyond what a starved machine needs.
constexpr double kPatience = 900;

sim::LossProfile draw_profile(Rng& random) {
  sim::LossProfile profile;
  uint64_t mood = random.below(12);
  if (mood < 2) profile.mood = sim::LossProfile::Mood::kLoseAll;
  if (mood == 2) profile.mood = sim::LossProfile::Mood::kKeepAll;
  profile.ordered = random.chance(1, 4);
  return profile;
}

}  // namespace

void ImageFigures::add(const ImageFigures& part) {
  images += part.images;
  verified += part.verified;
  cut_again += part.cut_again;
  demanded += part.demanded;
  faults.add(part.faults);
  startups.insert(startups.end(), part.startups.begin(), part.startups.end());
}

std::string ImageFigures::text() const {
  std::vector<double> sorted = startups;
  std::ranges::sort(sorted);
  double median = sorted.empty() ? 0 : sorted[sorted.size() / 2], longest = sorted.empty() ? 0 : sorted.back();
  using sim::Fault;
  return fmt::format(
      "  acknowledged before the cut: {} changes an image on average\n"
      "  sectors lost {}, kept {}, torn {}, garbage {}; sizes lost {}; names lost {}, kept {}, of these without their data {}\n"
      "  start to ready: median {:.0f} ms, longest {:.0f} ms; cut again while it recovered {}; verified after their stop {}\n",
      images ? demanded / images : 0, faults[Fault::kSectorLost], faults[Fault::kSectorKept], faults[Fault::kSectorTorn], faults[Fault::kSectorGarbage],
      faults[Fault::kSizeLost], faults[Fault::kNameLost], faults[Fault::kNameKept], faults[Fault::kDataLostUnderKeptName], median * 1000, longest * 1000, cut_again,
      verified);
}

void ImageCheck::lose_power(sim::DiskModel& disk, Rng& random, sim::Stream& stream) {
  disk.power_loss(draw_profile(random), stream, figures_.faults);
}

io::Task<std::vector<std::string>> ImageCheck::run(PowerImage& image) {
  Wrong wrong;
  fs::create_directory(image.directory);
  write_image(*image.disk, "data", image.directory + "/data");
  std::string directory = image.directory;
  if (image.number % 4 == 3) co_await cut_again(image, wrong);
  if (wrong.empty()) {
    ServerProcess server = ServerProcess::start({.program = options_.program, .directory = image.directory, .flags = recording_.flags()});
    co_await look(server, image, wrong);
    if (std::string found = find_report(server.log()); !found.empty()) wrong.push_back("the server reported:\n" + found);
    if (!wrong.empty()) wrong.push_back("it said:\n" + server.log());
  }
  if (wrong.empty() && image.number % 8 == 0) co_await verify(image, wrong);
  ++figures_.images;
  figures_.demanded += recording_.chronicle().acknowledged_before(image.at);
  if (wrong.empty()) {
    fs::remove_all(directory);
    co_return Wrong();
  }
  write_image(*image.disk, "data", image.directory + "/as-the-cut-left-it");
  std::string all = image.what;
  for (const std::string& w : wrong) all += "\n  " + w;
  co_return Wrong{all + "\n  " + image.directory};
}

/// The power comes back, the server starts, and while it recovers or soon afterwards the power goes again: nobody was told anything in between, so what
/// must be there is the same. The image becomes the second cut's.
io::Task<void> ImageCheck::cut_again(PowerImage& image, Wrong& wrong) {
  Rng draws = random_.fork(fmt::format("again {}", image.number));
  DiskReplay whole(image.directory), until(image.directory);
  if (fs::exists(image.directory + "/data")) {
    whole.load("data");
    until.load("data");
  }
  ServerOptions options{.program = options_.program, .directory = image.directory, .flags = recording_.flags()};
  options.flags.insert(options.flags.end(), {"--test-record-disk", image.directory + "/record"});
  ServerProcess server = ServerProcess::start(options);
  double usual = figures_.startups.empty() ? 0.05 : figures_.startups.back();
  ServerProcess::State state = co_await wait_started(server, draws.chance(1, 2) ? kPatience : usual * static_cast<double>(draws.below(1200)) / 1000);
  if (state == ServerProcess::State::kEnded) wrong.push_back(fmt::format("it did not start by itself: {}; it said:\n{}", describe_end(server.status()), server.log()));
  server.end(SIGKILL);
  if (!wrong.empty()) co_return;

  Buffer bytes = read_file(image.directory + "/record");
  Result<real::OperationRecord> record = real::parse_record(bytes);
  if (!record) wrong.push_back(record.error().message);
  if (record)
    if (auto unexplained = whole.play(*record)) wrong.push_back(std::move(*unexplained));
  if (!wrong.empty()) co_return;
  size_t event = draws.below(record->events.size() + 1);
  for (size_t i = 0; i < event; ++i) HF_ASSERT(until.apply(record->events[i]), "the record was played once already");
  sim::Trace trace;
  sim::Stream stream(draws.next(), "again", trace);
  image.what += fmt::format(", and again at event {} of {} of its recovery", event, record->events.size());
  image.disk = until.cut(stream);
  lose_power(*image.disk, draws, stream);
  image.directory += "/again";
  fs::create_directory(image.directory);
  write_image(*image.disk, "data", image.directory + "/data");
  ++figures_.cut_again;
}

io::Task<void> ImageCheck::look(ServerProcess& server, const PowerImage& image, Wrong& wrong) {
  ServerProcess::State state = co_await wait_started(server, kPatience);
  if (state != ServerProcess::State::kReady) {
    wrong.push_back("it did not start by itself: " + describe_end(server.status()));
    co_return;
  }
  figures_.startups.push_back(server.startup_seconds());
  Result<ServerStats> stats = co_await ask_stats(host_, server.port());
  client::Client client(host_, {.server = {"127.0.0.1", server.port()}, .connections = 1, .timeout = seconds(600), .connect_timeout = seconds(60)});
  There there;
  for (const ScribedCollection& c : kScribed) co_await read_all(client, c, there, wrong);
  if (!stats) wrong.push_back("it did not answer: " + stats.error().text());
  if (stats && wrong.empty()) wrong = recording_.chronicle().judge(image.at, stats->lsn, there);
  if (wrong.size() > 8) wrong.resize(8);
  if (wrong.empty()) co_await read_some(client, image, there, wrong);
  auto wrote = co_await client.collection(kScribed[0].name).insert_one(make_document("written afterwards", 1));
  if (!wrote) wrong.push_back("it did not take a write: " + wrote.error().text());
  co_await client.close();
  server.signal(SIGTERM);
  if (std::optional<int> status = co_await wait_ended(server, kPatience); !exited_with(status, 0))
    wrong.push_back("after SIGTERM: " + describe_end(status) + " instead of exit code 0");
}

io::Task<void> ImageCheck::read_all(client::Client& client, const ScribedCollection& from, There& there, Wrong& wrong) {
  client::Collection collection = client.collection(from.name, from.database);
  client::DocumentStream all = collection.export_all();
  uint64_t shown = 0;
  for (;;) {
    auto part = co_await all.next();
    if (!part) wrong.push_back(fmt::format("{} could not be exported: {}", from.name, part.error().text()));
    if (!part || !*part) break;
    Bytes raw;
    for (auto it = (*part)->begin(); it.next(raw); ++shown) {
      Result<ReadDocument> read = read_document(raw);
      if (!read)
        wrong.push_back("an export shows this: " + read.error().message);
      else if (!there.emplace(scribed_name(from, read->key), read->state).second)
        wrong.push_back(fmt::format("an export shows {} twice", read->key));
    }
  }
  auto count = co_await collection.count();
  if (!count || count->value != shown)
    wrong.push_back(fmt::format("an export of {} shows {} documents, count says {}", from.name, shown, count ? std::to_string(count->value) : count.error().text()));
}

/// A few documents by their ids: that is another way to them than an export.
io::Task<void> ImageCheck::read_some(client::Client& client, const PowerImage& image, const There& there, Wrong& wrong) {
  Rng random = random_.fork(fmt::format("reads {}", image.number));
  uint64_t keys = 1 + recording_.chronicle().documents();
  for (int n = 0; n < 12; ++n) {
    const ScribedCollection& c = kScribed[random.below(std::size(kScribed))];
    std::string key = fmt::format("s{}", 1 + random.below(keys));
    auto found = co_await client.collection(c.name, c.database).find_by_id(key);
    if (!found) {
      wrong.push_back(fmt::format("{} could not be read: {}", key, found.error().text()));
      continue;
    }
    auto shown = there.find(scribed_name(c, key));
    Result<ReadDocument> read = found->value ? read_document(*found->value) : Result<ReadDocument>(ReadDocument{});
    DocumentState is = read ? read->state : DocumentState{};
    if (!read || is != (shown == there.end() ? DocumentState{} : shown->second))
      wrong.push_back(fmt::format("{} by its id is {}, an export shows something else", key, read ? text(is) : read.error().message));
  }
}

io::Task<void> ImageCheck::verify(const PowerImage& image, Wrong& wrong) {
  ServerProcess process = ServerProcess::command({.program = options_.program, .directory = image.directory, .flags = {}}, "verify", {});
  std::optional<int> status = co_await wait_ended(process, kPatience);
  if (!exited_with(status, 0)) wrong.push_back(fmt::format("after its clean stop, verify: {}; it said:\n{}", describe_end(status), process.log()));
  ++figures_.verified;
}

}  // namespace holdfast::chaos
