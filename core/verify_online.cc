// Verifying a running engine, part by part: shard after shard in the order of databases and shards, then counts against live sets.
#include <fmt/core.h>

#include "core/engine_impl.h"
#include "core/gather.h"

namespace holdfast::core {
namespace {

constexpr size_t kDamageMax = 100;  // sentences in one part

/// What the next part begins with.
struct Position {
  DatabaseId database;
  ShardId shard;
  Ordinal ordinal;
};

Buffer encode(const Position& p) {
  Buffer out;
  append_le(out, p.database.value);
  append_le(out, p.shard.value);
  append_le(out, p.ordinal.value);
  return out;
}

Result<Position> decode(Bytes cursor) {
  if (cursor.empty()) return Position{};
  ByteReader in(cursor);
  Position p{DatabaseId(in.le<uint32_t>()), ShardId(in.le<uint16_t>()), Ordinal(in.le<uint32_t>())};
  if (!in.ok() || !in.rest().empty()) return fail(Code::kBadRequest, "this is no cursor of a verification");
  return p;
}

}  // namespace

io::Task<Result<std::optional<Shard::VerifiedPart>>> EngineCore::verify_shard(DatabaseId database, ShardId shard, Ordinal from, uint64_t max_bytes) {
  using Out = std::optional<Shard::VerifiedPart>;
  auto slots = slots_.find(database);
  size_t i = shard.value / shared_.cores.size();
  if (slots == slots_.end() || i >= slots->second.size() || !slots->second[i]) co_return Out();
  HF_CO_TRY(part, co_await slots->second[i]->shard->verify(from, max_bytes));
  co_return Out(std::move(part));
}

std::optional<int64_t> EngineCore::live_count(CollectionRef c) {
  int64_t n = 0;
  if (!intact(c)) return std::nullopt;
  for (Slot* s : slots_of(c.database)) {
    if (!s->shard->is_open()) return std::nullopt;
    n += static_cast<int64_t>(s->shard->live_count(c.collection));
  }
  return n;
}

io::Task<Reply<VerifyPage>> EngineImpl::verify_page(Bytes cursor, uint64_t max_bytes) {
  Result<Position> at = decode(cursor);
  if (!at) co_return refuse<VerifyPage>(at);
  EngineCore* here = co_await up_to_date(committed_lsn());
  std::vector<ManifestDatabase> databases = here->catalog().databases();
  const uint16_t shards = shared_.settings.shard_count;
  VerifyPage page;
  page.shards = databases.size() * shards;
  for (const ManifestDatabase& d : databases) {
    if (d.id < at->database) {
      page.shards_done += shards;
      continue;
    }
    bool resumed = d.id == at->database;
    for (uint16_t k = 0; k < shards; ++k) {
      ShardId shard(k);
      Ordinal from = resumed && shard == at->shard ? at->ordinal : Ordinal(0);
      for (bool done = resumed && shard < at->shard; !done;) {
        if (page.bytes >= max_bytes || page.damage.size() >= kDamageMax) {
          page.cursor = encode({d.id, shard, from});
          co_return Reply<VerifyPage>{std::move(page), here->applied()};
        }
        auto part = co_await io::call_on<Result<std::optional<Shard::VerifiedPart>>>(
            host_.cores, shared_.core_of(shard), [&core = *shared_.cores[shared_.core_of(shard).value], id = d.id, shard, from, left = max_bytes - page.bytes] {
              return core.verify_shard(id, shard, from, left);
            });
        if (!part && part.error().code != Code::kCorrupt) co_return refuse<VerifyPage>(part);
        done = true;
        if (!part) {
          page.damage.push_back(part.error().message);
        } else if (*part) {
          page.records += (*part)->records;
          page.bytes += (*part)->bytes;
          for (std::string& sentence : (*part)->damage) page.damage.push_back(std::move(sentence));
          from = (*part)->next;
          done = (*part)->done;
        }
      }
      ++page.shards_done;
    }
  }
  co_await verify_counts(page);
  co_return Reply<VerifyPage>{std::move(page), here->applied()};
}

/// Counts against live sets, and what is in quarantine, at one LSN.
io::Task<void> EngineImpl::verify_counts(VerifyPage& page) {
  struct Look {
    std::vector<ManifestCollection> collections;
    std::vector<int64_t> counts;
    std::vector<std::optional<int64_t>> live;
    std::vector<QuarantinedDocument> quarantined;
  };
  auto looks = co_await gather<Look>(shared_, [](EngineCore& core) {
    Look look;
    look.collections = core.catalog().collections();
    for (const ManifestCollection& c : look.collections) {
      look.counts.push_back(core.count(c.id));
      look.live.push_back(core.live_count({c.database, c.id}));
    }
    look.quarantined = core.quarantine().list();
    return look;
  });
  for (size_t i = 0; i < looks.values[0].collections.size(); ++i) {
    int64_t counted = 0, live = 0;
    bool known = true;
    for (const Look& look : looks.values) {
      counted += look.counts[i];
      live += look.live[i].value_or(0);
      known = known && look.live[i];
    }
    if (known && counted != live)
      page.damage.push_back(fmt::format("collection {}: {} documents are counted, and {} are there", looks.values[0].collections[i].name, counted, live));
  }
  for (const Look& look : looks.values)
    for (const QuarantinedDocument& q : look.quarantined)
      page.damage.push_back(fmt::format("LSN {} changed a document (database {}, collection {}, shard {}, id hash {:016x}) and was damaged in the journal", q.lsn.value,
                                        q.touched.database.value, q.touched.collection.value, q.touched.shard.value, q.touched.id_hash));
}

}  // namespace holdfast::core
