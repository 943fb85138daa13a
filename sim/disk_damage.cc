// What becomes of a disk against everybody's will: bits, sectors, files, whole trees. Names and contents change as the
// medium has them and as processes see them, at once.
#include <fmt/format.h>

#include <algorithm>

#include "io/base/assert.h"
#include "sim/disk_model.h"

namespace holdfast::sim {
namespace {

std::unexpected<Error> not_found(std::string_view path) {
  return fail(Code::kNotFound, fmt::format("{}: no durable file has that place", path));
}

}  // namespace

Result<Inode*> DiskModel::durable_file(std::string_view path, uint64_t offset, uint64_t length) {
  const Inode* at = root_.get();
  for (std::string_view part : path_parts(path)) {
    auto it = at->durable_names.find(std::string(part));
    if (it == at->durable_names.end()) return not_found(path);
    at = it->second.get();
  }
  if (at->directory || offset + length > at->durable.size()) return not_found(path);
  return inodes_.at(at->number);
}

Result<> DiskModel::flip_bit(std::string_view path, uint64_t offset, uint8_t bit, FaultCounts& counts) {
  HF_TRY(file, durable_file(path, offset, 1));
  char was;
  file->durable.read(offset, MutableBytes(&was, 1));
  char now = static_cast<char>(was ^ (1 << (bit & 7)));
  return overwrite(path, offset, Bytes(&now, 1), Fault::kBitFlip, counts);
}

Result<> DiskModel::overwrite(std::string_view path, uint64_t offset, Bytes content, Fault kind, FaultCounts& counts) {
  HF_TRY(file, durable_file(path, offset, content.size()));
  file->durable.write(offset, content);
  for (uint64_t i = 0; i < content.size(); ++i) {
    uint64_t at = offset + i;
    bool dirty = std::ranges::any_of(file->pending, [&](const Change& c) {
      return c.kind == Change::Kind::kSize ? c.offset <= at : c.offset <= at && at < c.offset + c.length;
    });
    if (dirty || file->diverged || at >= file->cache.size()) continue;
    used_pages_ -= file->cache.pages();
    file->cache.write(at, content.substr(i, 1));
    used_pages_ += file->cache.pages();
  }
  damage_.push_back({std::string(path), file->number, offset, content.size(), kind});
  counts.hit(kind);
  return {};
}

Result<> DiskModel::make_unreadable(std::string_view path, uint64_t offset, uint64_t length, FaultCounts& counts) {
  HF_TRY(file, durable_file(path, offset, length));
  file->unreadable.emplace_back(offset, offset + length);
  damage_.push_back({std::string(path), file->number, offset, length, Fault::kLatentError});
  counts.hit(Fault::kLatentError);
  return {};
}

bool DiskModel::readable(const Inode& file, uint64_t offset, uint64_t length) const {
  return std::ranges::none_of(file.unreadable, [&](const auto& bad) {
    return bad.first < offset + length && offset < bad.second;
  });
}

void DiskModel::settle() {
  for (auto& [number, inode] : inodes_) {
    if (!inode->directory) make_data_durable(*inode, sequence_);
    if (inode->diverged) drop_cache(*inode);
  }
  make_names_durable(nullptr, sequence_);
}

Result<> DiskModel::take_away(std::string_view path, Fault kind, FaultCounts& counts) {
  HF_ASSERT(name_changes_.empty(), "only a settled disk loses files");
  HF_TRY(p, place(path));
  auto it = p.dir->durable_names.find(p.name);
  if (it == p.dir->durable_names.end()) return not_found(path);
  damage_.push_back({std::string(path), it->second->number, 0, it->second->durable.size(), kind});
  p.dir->durable_names.erase(it);
  p.dir->names.erase(p.name);
  counts.hit(kind);
  return {};
}

Result<> DiskModel::put(std::string_view path, Bytes content, Fault kind, FaultCounts& counts) {
  HF_ASSERT(name_changes_.empty(), "only a settled disk is given files");
  size_t slash = path.find_last_of('/');
  if (slash != std::string_view::npos) make_tree(path.substr(0, slash));
  HF_TRY(p, place(path));
  InodePtr file = new_inode(false);
  file->durable.write(0, content);
  file->cache = file->durable;
  used_pages_ += file->cache.pages();
  p.dir->names[p.name] = p.dir->durable_names[p.name] = file;
  damage_.push_back({std::string(path), file->number, 0, content.size(), kind});
  counts.hit(kind);
  return {};
}

void DiskModel::make_tree(std::string_view path) {
  InodePtr at = root_;
  for (std::string_view part : path_parts(path)) {
    InodePtr& child = at->names[std::string(part)];
    if (!child) child = at->durable_names[std::string(part)] = new_inode(true);
    at = child;
  }
}

}  // namespace holdfast::sim
