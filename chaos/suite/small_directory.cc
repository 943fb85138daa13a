#include "chaos/suite/small_directory.h"

#include <fmt/format.h>

#include "chaos/workload/documents.h"
#include "io/base/assert.h"
#include "io/base/msgpack.h"

namespace holdfast::chaos {
namespace {

using core::Engine;

constexpr core::Name kName{kSmallDatabase, kSmallCollection};
constexpr int kHashBits[] = {64, 3};
constexpr uint64_t kValuesPerTwin = 1'000'000;
constexpr uint64_t kWorldsPerTwin = uint64_t{1} << 40;

/// Each but for the last of some ends by a clean stop: so there are files of several checkpoints, and records of
/// several flushes.
class Maker {
 public:
  explicit Maker(const SmallShape& shape) : shape_(shape), random_(shape.number, "flip directory") {
    truth.values_after = truth.last_value = shape.twin * kValuesPerTwin;
  }

  SmallTruth truth;
  std::function<void()> at_rest;

  io::Task<int> main(io::Host& host) {
    auto opened = co_await Engine::open(host, shape_.options());
    HF_ASSERT(opened, "a fresh or sound directory opens");
    engine_ = std::move(*opened);
    ++lives_;
    const bool last = lives_ == shape_.lives;
    const uint64_t changes = random_.between(8, 20);
    for (uint64_t n = 0; n < changes; ++n) {
      if (last && shape_.rests && n == changes / 2) co_await rest();
      co_await change();
    }
    if (last && shape_.killed)
      co_await io::sleep_for(seconds(1));
    else
      HF_ASSERT(co_await engine_->stop(), "without faults it stops clean");
    co_return 0;
  }
  void end() { engine_.reset(); }

 private:
  io::Task<void> rest() {
    co_await io::sleep_for(seconds(1));
    at_rest();
  }

  io::Task<void> change() {
    std::string key = fmt::format("k{}", random_.below(9));
    bool there = truth.documents.contains(key);
    uint64_t value = ++truth.last_value;
    Buffer filter_bytes = by_key(key);
    auto filter = core::Query::compile(filter_bytes);
    if (!there) {
      Buffer document = make_document(key, value);
      HF_ASSERT((co_await engine_->insert_one(kName, document, core::Repeat::kByShape)).result, "it was absent");
    } else if (random_.below(3) > 0) {
      DocumentUpdate bytes = make_update(key, value);
      auto which = core::Query::compile(bytes.filter);
      auto update = core::Update::compile(bytes.update, bytes.array_filters);
      HF_ASSERT((co_await engine_->modify_one(kName, core::update_of(std::move(*which), std::move(*update)))).result, "it was there");
    } else {
      HF_ASSERT((co_await engine_->modify_one(kName, core::deletion_of(std::move(*filter)))).result, "it was there");
    }
    Buffer id = string_id(key);
    auto now = co_await engine_->find_by_id(kName, id);
    truth.documents.erase(key);
    std::erase(truth.absent, key);
    if (*now.result)
      truth.documents[key] = std::move(**now.result);
    else
      truth.absent.push_back(key);
  }

  const SmallShape& shape_;
  Rng random_;
  int lives_ = 0;
  std::unique_ptr<Engine> engine_;
};

}  // namespace

core::EngineOptions SmallShape::options() const {
  core::EngineOptions o;
  o.data_path = kSmallData;
  o.shard_count = static_cast<uint16_t>(shards);
  o.mode = core::SyncMode::kSync;
  o.journal.segment_bytes = segment_blocks * 4096;
  o.checkpoint_bytes = checkpoint_bytes;
  o.index_tail_min = 4;
  o.id_hash_bits = kHashBits[number % 2];
  return o;
}

SmallDirectory make_small_directory(const SmallShape& shape, const std::vector<std::string>& mutants) {
  SmallDirectory made;
  Maker maker(shape);
  made.disk = std::make_unique<sim::DiskModel>(uint64_t{1} << 30);
  for (int life = 0; life < shape.lives; ++life) {
    uint64_t world = shape.number * 3 + static_cast<uint64_t>(life) + shape.twin * kWorldsPerTwin;
    Life process(std::move(made.disk), world, mutants);
    maker.at_rest = [&] { made.earlier.push_back(process.node().disk().clone()); };
    process.run([&](io::Host& host) { return maker.main(host); });
    maker.end();
    made.disk = process.node().disk().clone();
    if (life + 1 < shape.lives) made.earlier.push_back(made.disk->clone());
  }
  made.truth = std::move(maker.truth);
  return made;
}

Life::Life(std::unique_ptr<sim::DiskModel> disk, uint64_t seed, const std::vector<std::string>& mutants)
    : world_({.seed = seed, .mutants = mutants}), node_(world_.add_node("server")) {
  node_.replace_disk(std::move(disk));
}

bool Life::run(const sim::Main& main, std::optional<sim::CrashPlan> crash) {
  bool ended = false;
  node_.on_end = [&ended](sim::End, int) { ended = true; };
  node_.start(main, {.cores = 1});
  if (crash) node_.crash_at(*crash);
  world_.run({.until = seconds(600)});
  node_.cancel_crash();
  hash_ = hash_ * 31 + world_.trace().hash();
  if (!ended) node_.kill(sim::End::kProcessDeath);
  return ended;
}

Buffer string_id(std::string_view s) {
  Buffer out;
  msgpack::Writer(out).string(s);
  return out;
}

}  // namespace holdfast::chaos
