#include "core/entry.h"

#include "core/journal_format.h"
#include "core/session_table.h"
#include "io/base/hash.h"

namespace holdfast::core {

namespace {

// An effect: kind u8, flags u8 (0; compression later), shard u16, database u32, collection u32, key length u32, body length u32,
// key, body. Little endian.
constexpr size_t kEffectHeader = 20;

}  // namespace

uint64_t id_hash(CollectionId collection, Bytes key) { return xxh3_64(key, collection.value); }

uint64_t IdHasher::operator()(CollectionId collection, Bytes key) const {
  // An odd factor spreads the collection over all bits of the seed.
  return xxh3_64(key, seed_ ^ collection.value * 0x9e3779b97f4a7c15);
}

namespace {

uint64_t touched_hash(const Effect& effect) {
  switch (effect.kind) {
    case EffectKind::kCatalog: return 0;
    case EffectKind::kSession: return session_of(effect);
    default: return id_hash(effect.collection, effect.key);
  }
}

}  // namespace

void Entry::add(const Effect& effect) {
  HF_ASSERT(effect.key.size() <= UINT32_MAX && effect.body.size() <= UINT32_MAX, "requests are bounded far below");
  char* p = grow(effects, kEffectHeader + effect.key.size() + effect.body.size());
  p[0] = static_cast<char>(effect.kind);
  p[1] = 0;
  store_le(p + 2, effect.shard.value);
  store_le(p + 4, effect.database.value);
  store_le(p + 8, effect.collection.value);
  store_le(p + 12, static_cast<uint32_t>(effect.key.size()));
  store_le(p + 16, static_cast<uint32_t>(effect.body.size()));
  if (!effect.key.empty()) std::memcpy(p + kEffectHeader, effect.key.data(), effect.key.size());
  if (!effect.body.empty()) std::memcpy(p + kEffectHeader + effect.key.size(), effect.body.data(), effect.body.size());
  touched.push_back({effect.database, effect.collection, effect.shard, touched_hash(effect)});
}

size_t Entry::encoded_size() const { return kEntryHeaderBytes + touched.size() * kTouchedBytes + effects.size(); }

std::optional<Effect> EffectReader::next() {
  if (!in_.ok() || in_.rest().empty()) return std::nullopt;
  Bytes head = in_.take(kEffectHeader);
  if (!in_.ok()) return std::nullopt;
  ByteReader fields(head);
  auto kind = fields.le<uint8_t>();
  auto flags = fields.le<uint8_t>();
  Effect e;
  e.kind = static_cast<EffectKind>(kind);
  e.shard = ShardId(fields.le<uint16_t>());
  e.database = DatabaseId(fields.le<uint32_t>());
  e.collection = CollectionId(fields.le<uint32_t>());
  auto key_bytes = fields.le<uint32_t>();
  auto body_bytes = fields.le<uint32_t>();
  bool known = kind >= uint8_t(EffectKind::kPut) && kind <= uint8_t(EffectKind::kSession) && flags == 0;
  e.key = in_.take(known ? key_bytes : SIZE_MAX);
  e.body = in_.take(body_bytes);
  if (!in_.ok()) return std::nullopt;
  return e;
}

}  // namespace holdfast::core
