#include "sim/disk_model.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::sim {

std::vector<std::string_view> path_parts(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    size_t n = std::min(path.find('/'), path.size());
    std::string_view part = path.substr(0, n);
    if (!part.empty() && part != ".") out.push_back(part);
    path.remove_prefix(std::min(n + 1, path.size()));
  }
  return out;
}

namespace {

std::unexpected<Error> not_found(std::string_view path) {
  return fail(Code::kNotFound, fmt::format("{}: no such file or directory", path));
}

bool is_below(const Inode& dir, const Inode& top) {
  if (&dir == &top) return true;
  return std::ranges::any_of(top.names, [&](const auto& n) { return n.second->directory && is_below(dir, *n.second); });
}

}  // namespace

Inode::~Inode() {
  if (!disk) return;
  disk->used_pages_ -= cache.pages();
  disk->inodes_.erase(number);
}

DiskModel::DiskModel(uint64_t quota_bytes) : quota_bytes_(quota_bytes), root_(new_inode(true)) {}

DiskModel::~DiskModel() {
  for (auto& [number, inode] : inodes_) inode->disk = nullptr;  // open files may outlive the disk
}

InodePtr DiskModel::new_inode(bool directory) {
  auto inode = std::make_shared<Inode>(this, next_inode_++, directory);
  inodes_[inode->number] = inode.get();
  return inode;
}

Result<InodePtr> DiskModel::find(std::string_view path) const {
  InodePtr at = root_;
  for (std::string_view part : path_parts(path)) {
    auto it = at->names.find(std::string(part));
    if (it == at->names.end()) return not_found(path);
    at = it->second;
  }
  return at;
}

Result<DiskModel::Place> DiskModel::place(std::string_view path) const {
  auto all = path_parts(path);
  if (all.empty() || all.back() == "..") return fail(Code::kExists, "the root of a disk is always there");
  InodePtr at = root_;
  for (size_t i = 0; i + 1 < all.size(); ++i) {
    auto it = at->names.find(std::string(all[i]));
    if (it == at->names.end() || !it->second->directory) return not_found(path);
    at = it->second;
  }
  return Place{std::move(at), std::string(all.back())};
}

void DiskModel::record(NameChange change) {
  change.sequence = ++sequence_;
  name_changes_.push_back(std::move(change));
}

Result<InodePtr> DiskModel::create(std::string_view path, bool directory) {
  HF_TRY(p, place(path));
  auto [it, fresh] = p.dir->names.try_emplace(p.name);
  if (!fresh) return fail(Code::kExists, fmt::format("{}: already there", path));
  it->second = new_inode(directory);
  record({0, NameChange::Kind::kLink, p.dir, p.name, nullptr, {}, it->second});
  return it->second;
}

Result<> DiskModel::rename(std::string_view from, std::string_view to) {
  HF_TRY(a, place(from));
  HF_TRY(b, place(to));
  auto source = a.dir->names.find(a.name);
  if (source == a.dir->names.end()) return not_found(from);
  if (b.dir->names.contains(b.name)) return fail(Code::kExists, fmt::format("{}: already there", to));
  InodePtr inode = source->second;
  if (inode->directory && is_below(*b.dir, *inode))
    return fail(Code::kIo, fmt::format("{}: a directory cannot move into itself", from));
  a.dir->names.erase(source);
  b.dir->names[b.name] = inode;
  record({0, NameChange::Kind::kRename, a.dir, a.name, b.dir, b.name, inode});
  return {};
}

Result<> DiskModel::remove(std::string_view path) {
  HF_TRY(p, place(path));
  auto it = p.dir->names.find(p.name);
  if (it == p.dir->names.end()) return not_found(path);
  if (!it->second->names.empty()) return fail(Code::kIo, fmt::format("{}: the directory is not empty", path));
  InodePtr inode = it->second;
  p.dir->names.erase(it);
  record({0, NameChange::Kind::kUnlink, p.dir, p.name, nullptr, {}, inode});
  return {};
}

Result<std::vector<io::DirEntry>> DiskModel::list(std::string_view path) const {
  HF_TRY(dir, find(path));
  if (!dir->directory) return fail(Code::kIo, fmt::format("{}: not a directory", path));
  std::vector<io::DirEntry> out;
  for (const auto& [name, inode] : dir->names) out.push_back({name, inode->directory});
  return out;
}

uint64_t DiskModel::free_bytes() const {
  uint64_t used = used_pages_ * kPageBytes;
  return used < quota_bytes_ ? quota_bytes_ - used : 0;
}

Result<> DiskModel::need_room(const Inode& file, uint64_t offset, uint64_t length) {
  // Checked before pages are counted: an absurd offset must not cost an absurd page table.
  if (offset > quota_bytes_ || length > quota_bytes_ - offset)
    return fail(Code::kDiskFull, "no space left on the disk");
  if (file.cache.new_pages(offset, length) * kPageBytes > free_bytes())
    return fail(Code::kDiskFull, "no space left on the disk");
  return {};
}

Result<> DiskModel::write(const InodePtr& file, uint64_t offset, Bytes data) {
  HF_CHECK_OK(need_room(*file, offset, data.size()));
  uint64_t before = file->cache.pages();
  file->cache.write(offset, data);
  std::erase_if(file->unreadable, [&](const auto& bad) { return offset <= bad.first && bad.second <= offset + data.size(); });
  used_pages_ += file->cache.pages() - before;
  file->pending.push_back({++sequence_, Change::Kind::kWrite, offset, data.size(), file->cache.size(), Buffer(data)});
  return {};
}

Result<> DiskModel::zero(const InodePtr& file, uint64_t offset, uint64_t length) {
  HF_CHECK_OK(need_room(*file, offset, length));
  uint64_t before = file->cache.pages();
  file->cache.zero(offset, length);
  used_pages_ += file->cache.pages() - before;
  file->pending.push_back({++sequence_, Change::Kind::kZero, offset, length, file->cache.size(), {}});
  return {};
}

void DiskModel::resize(const InodePtr& file, uint64_t size) {
  uint64_t before = file->cache.pages();
  file->cache.resize(size);
  used_pages_ += file->cache.pages() - before;
  file->pending.push_back({++sequence_, Change::Kind::kSize, size, 0, size, {}});
}

size_t DiskModel::read(const InodePtr& file, uint64_t offset, MutableBytes out) const {
  uint64_t size = file->cache.size();
  if (offset >= size) return 0;
  size_t n = std::min<uint64_t>(out.size(), size - offset);
  file->cache.read(offset, out.first(n));
  return n;
}

void DiskModel::sync(const InodePtr& inode, uint64_t mark, const LossProfile& profile) {
  if (inode->directory || profile.ordered) make_names_durable(profile.ordered ? nullptr : inode.get(), mark);
  if (!inode->directory) make_data_durable(*inode, mark);
}

void DiskModel::make_data_durable(Inode& file, uint64_t mark) {
  // When nothing newer waits, the cache is what the durable image becomes, and whole pages can be shared.
  bool all = !file.pending.empty() && file.pending.back().sequence <= mark && !file.diverged;
  while (!file.pending.empty() && file.pending.front().sequence <= mark) {
    const Change& c = file.pending.front();
    if (c.kind == Change::Kind::kWrite) {
      uint64_t done = 0;
      while (done < c.length) {
        uint64_t at = c.offset + done;
        uint64_t n = std::min<uint64_t>(kPageBytes - at % kPageBytes, c.length - done);
        if (all && n == kPageBytes)
          file.durable.share(file.cache, at / kPageBytes);
        else
          file.durable.write(at, Bytes(c.data).substr(done, n));
        done += n;
      }
      if (file.durable.size() < c.offset + c.length) file.durable.resize(c.offset + c.length);
    } else if (c.kind == Change::Kind::kZero) {
      file.durable.zero(c.offset, c.length);
    } else {
      file.durable.resize(c.offset);
    }
    file.pending.pop_front();
  }
}

bool DiskModel::NameChange::depends_on(const NameChange& e) const {
  auto touches = [](const NameChange& c, const InodePtr& d, const std::string& n) {
    return d && ((c.dir == d && c.name == n) || (c.to_dir == d && c.to == n));
  };
  return inode == e.inode || touches(e, dir, name) || touches(e, to_dir, to);
}

void DiskModel::NameChange::apply() const {
  switch (kind) {
    case Kind::kLink:
      dir->durable_names[name] = inode;
      break;
    case Kind::kUnlink:
      dir->durable_names.erase(name);
      break;
    case Kind::kRename:
      dir->durable_names.erase(name);
      to_dir->durable_names[to] = inode;
      break;
  }
}

void DiskModel::make_names_durable(const Inode* dir, uint64_t mark) {
  // Newest first, to take along what a synced change depends on; then applied in order.
  std::vector<char> chosen(name_changes_.size(), 0);
  for (size_t i = name_changes_.size(); i-- > 0;) {
    const NameChange& c = name_changes_[i];
    if (c.sequence <= mark && (!dir || c.dir.get() == dir || c.to_dir.get() == dir)) chosen[i] = 1;
    if (!chosen[i]) continue;
    for (size_t j = 0; j < i; ++j)
      if (c.depends_on(name_changes_[j])) chosen[j] = 1;
  }
  std::vector<NameChange> rest;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i])
      name_changes_[i].apply();
    else
      rest.push_back(std::move(name_changes_[i]));
  }
  name_changes_ = std::move(rest);
}

void DiskModel::drop_cache(Inode& file) {
  used_pages_ -= file.cache.pages();
  file.cache = file.durable;
  for (const Change& c : file.pending) {
    if (c.kind == Change::Kind::kWrite) file.cache.write(c.offset, c.data);
    if (c.kind == Change::Kind::kZero) file.cache.zero(c.offset, c.length);
    if (c.kind == Change::Kind::kSize) file.cache.resize(c.offset);
  }
  file.diverged = false;
  used_pages_ += file.cache.pages();
}

void DiskModel::evict(FaultCounts& counts) {
  for (auto& [number, inode] : inodes_) {
    if (!inode->diverged) continue;
    uint64_t before = inode->cache.digest();
    drop_cache(*inode);
    if (inode->cache.digest() != before) counts.hit(Fault::kOldContentBack);
  }
}

void DiskModel::release_locks() {
  for (auto& [number, inode] : inodes_) inode->locked = false;
}

std::unique_ptr<DiskModel> DiskModel::clone() const {
  auto copy = std::make_unique<DiskModel>(quota_bytes_);
  std::map<const Inode*, InodePtr> twins;
  auto twin = [&](const InodePtr& o) -> InodePtr {
    if (!o) return nullptr;
    InodePtr& t = twins[o.get()];
    if (t) return t;
    t = o == root_ ? copy->root_ : std::make_shared<Inode>(copy.get(), o->number, o->directory);
    copy->inodes_[t->number] = t.get();
    t->durable = o->durable;
    t->cache = o->cache;
    t->pending = o->pending;
    t->diverged = o->diverged;
    t->unreadable = o->unreadable;
    copy->used_pages_ += t->cache.pages();
    return t;
  };
  auto copy_names = [&](auto& self, const InodePtr& from) -> void {
    InodePtr to = twin(from);
    for (const auto& [name, inode] : from->names) {
      bool fresh = !twins.contains(inode.get());
      to->names[name] = twin(inode);
      if (fresh) self(self, inode);
    }
    for (const auto& [name, inode] : from->durable_names) {
      bool fresh = !twins.contains(inode.get());
      to->durable_names[name] = twin(inode);
      if (fresh) self(self, inode);
    }
  };
  copy_names(copy_names, root_);
  for (const NameChange& c : name_changes_) {
    for (const InodePtr& i : {c.dir, c.to_dir, c.inode})
      if (i && !twins.contains(i.get())) copy_names(copy_names, i);
    copy->name_changes_.push_back({c.sequence, c.kind, twin(c.dir), c.name, twin(c.to_dir), c.to, twin(c.inode)});
  }
  copy->next_inode_ = next_inode_;
  copy->sequence_ = sequence_;
  copy->damage_ = damage_;
  return copy;
}

namespace {

void collect_files(const Inode& dir, const std::string& path, std::vector<std::string>& out) {
  for (const auto& [name, child] : dir.durable_names) {
    std::string full = path.empty() ? name : path + "/" + name;
    if (child->directory)
      collect_files(*child, full, out);
    else
      out.push_back(full);
  }
}

}  // namespace

const Inode* DurableView::find(std::string_view path) const {
  const Inode* at = &disk_->root();
  for (std::string_view part : path_parts(path)) {
    auto it = at->durable_names.find(std::string(part));
    if (it == at->durable_names.end()) return nullptr;
    at = it->second.get();
  }
  return at;
}

std::vector<io::DirEntry> DurableView::list(std::string_view path) const {
  std::vector<io::DirEntry> out;
  if (const Inode* dir = find(path))
    for (const auto& [name, child] : dir->durable_names) out.push_back({name, child->directory});
  return out;
}

std::vector<std::string> DurableView::files(std::string_view path) const {
  std::vector<std::string> out;
  std::string base;
  for (std::string_view part : path_parts(path)) base += (base.empty() ? "" : "/") + std::string(part);
  if (const Inode* dir = find(path)) collect_files(*dir, base, out);
  return out;
}

std::optional<uint64_t> DurableView::size(std::string_view path) const {
  const Inode* f = find(path);
  return f && !f->directory ? std::optional(f->durable.size()) : std::nullopt;
}

std::optional<Buffer> DurableView::read(std::string_view path, uint64_t offset, uint64_t length) const {
  const Inode* f = find(path);
  if (!f || f->directory) return std::nullopt;
  uint64_t size = f->durable.size();
  offset = std::min(offset, size);
  Buffer out;
  grow(out, std::min(length, size - offset));
  f->durable.read(offset, out);
  return out;
}

}  // namespace holdfast::sim
