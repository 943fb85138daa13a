// Fingerprints of a whole disk.
#include "io/base/hash.h"
#include "sim/disk_model.h"

namespace holdfast::sim {
namespace {

uint64_t digest_durable(const Inode& inode) {
  if (!inode.directory) return inode.durable.digest();
  uint64_t h = 0;
  for (const auto& [name, child] : inode.durable_names) h = xxh3_64(name, h ^ digest_durable(*child));
  return h;
}

}  // namespace

uint64_t DiskModel::durable_digest() const { return digest_durable(*root_); }

uint64_t DiskModel::state_digest() const {
  uint64_t h = next_inode_;
  auto fold = [&h](uint64_t x) { h = (h ^ x) * 0x9e3779b97f4a7c15ULL, h ^= h >> 29; };
  auto fold_names = [&](const std::map<std::string, InodePtr>& names) {
    fold(names.size());
    for (const auto& [name, child] : names) fold(xxh3_64(name, child->number));
  };
  for (const auto& [number, inode] : inodes_) {
    fold(number << 2 | uint64_t{inode->directory} << 1 | uint64_t{inode->diverged});
    fold(inode->durable.digest());
    fold(inode->cache.digest());
    for (const Change& c : inode->pending) {
      fold(c.offset);
      fold(c.length << 2 | static_cast<uint64_t>(c.kind));
      fold(xxh3_64(c.data, c.size_after));
    }
    fold_names(inode->names);
    fold_names(inode->durable_names);
  }
  for (const NameChange& c : name_changes_) {
    fold(static_cast<uint64_t>(c.kind) << 32 | c.inode->number);
    fold(xxh3_64(c.name, c.dir->number));
    fold(xxh3_64(c.to, c.to_dir ? c.to_dir->number : 0));
  }
  return h;
}

}  // namespace holdfast::sim
