#include "chaos/runner/real/disk_replay.h"

#include <fmt/format.h>

#include "chaos/runner/real/image_files.h"
#include "io/base/assert.h"

namespace holdfast::chaos {
namespace {

using real::DiskCall;
using real::OperationBegin;
using sim::DiskModel;
using sim::InodePtr;
namespace fs = std::filesystem;

constexpr uint64_t kRoom = uint64_t{1} << 40;
/// The weakest promises that a file system may make: what a kinder one leaves is among what this one may.
constexpr sim::LossProfile kWeak;

std::unexpected<Error> impossible(const OperationBegin& b, const Error& why) {
  return fail(Code::kCorrupt, fmt::format("operation {} of the record ({} {}) succeeded, but cannot have: {}", b.operation, real::name(b.call), b.path, why.text()));
}

/// A name by which processes see that inode.
std::optional<std::string> path_of(const sim::Inode& dir, uint64_t inode, const std::string& path = {}) {
  for (const auto& [name, child] : dir.names) {
    std::string full = path.empty() ? name : path + "/" + name;
    if (child->number == inode) return full;
    if (!child->directory) continue;
    if (auto found = path_of(*child, inode, full)) return found;
  }
  return std::nullopt;
}

std::optional<std::string> compare(const sim::Inode& dir, const fs::path& real) {
  std::set<std::string> there;
  for (const auto& entry : fs::directory_iterator(real)) there.insert(entry.path().filename());
  for (const auto& [name, child] : dir.names) {
    fs::path path = real / name;
    if (there.erase(name) == 0) return path.string() + " is in the model only";
    if (child->directory != fs::is_directory(path)) return path.string() + " is a directory in one of them";
    if (child->directory) {
      if (auto found = compare(*child, path)) return found;
      continue;
    }
    uint64_t size = fs::file_size(path);
    if (size != child->cache.size()) return fmt::format("{} has {} bytes, in the model {}", path.string(), size, child->cache.size());
    Buffer model(size, '\0');
    child->cache.read(0, model);
    Buffer bytes = read_file(path, 0, size);
    auto at = std::ranges::mismatch(bytes, model).in1 - bytes.begin();
    if (bytes != model) return fmt::format("{} differs from the model at byte {}", path.string(), at);
  }
  if (!there.empty()) return (real / *there.begin()).string() + " is not in the model";
  return std::nullopt;
}

}  // namespace

DiskReplay::DiskReplay(std::string base) : base_(std::move(base)), disk_(std::make_unique<DiskModel>(kRoom)) {}

void DiskReplay::load(const std::string& name) {
  // Parents first; syncing a directory makes the names in it durable, and syncing a file its bytes.
  auto add = [&](const fs::path& real, bool directory) {
    std::string path = fs::relative(real, base_);
    Result<InodePtr> made = disk_->create(path, directory);
    HF_ASSERT(made, "a directory has a name once");
    Buffer bytes = directory ? Buffer() : read_file(real);
    if (!bytes.empty()) HF_ASSERT(disk_->write(*made, 0, bytes), "the model has room");
    disk_->sync(*made, disk_->mark(), kWeak);
    disk_->sync(*disk_->find(fs::path(path).parent_path().string()), disk_->mark(), kWeak);
  };
  add(fs::path(base_) / name, true);
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(base_) / name)) add(entry.path(), entry.is_directory());
}

Result<std::string> DiskReplay::inside(std::string_view path) const {
  if (path.starts_with(base_) && (path.size() == base_.size() || path[base_.size()] == '/')) return std::string(path.substr(base_.size()));
  return fail(Code::kCorrupt, fmt::format("the record names {}, which is not below {}", path, base_));
}

InodePtr DiskReplay::file_in(DiskModel& disk, uint64_t file) const {
  auto at = files_.find(file);
  if (at == files_.end()) return nullptr;
  if (&disk == disk_.get()) return at->second;
  // In a clone the file is found by a name that it has; one that has none left is gone with its process.
  std::optional<std::string> path = path_of(disk.root(), at->second->number);
  return path ? *disk.find(*path) : nullptr;
}

uint64_t DiskReplay::whole(const OperationBegin& b) const {
  if (b.call == DiskCall::kWrite) return b.data.size();
  return b.call == DiskCall::kPreallocate ? b.length : 1;
}

Result<> DiskReplay::apply(const real::OperationEvent& event) {
  if (const auto* begin = std::get_if<OperationBegin>(&event)) {
    under_way_[begin->operation] = {*begin, disk_->mark()};
    return {};
  }
  const auto& end = std::get<real::OperationEnd>(event);
  auto at = under_way_.find(end.operation);
  HF_ASSERT(at != under_way_.end(), "a parsed record ends only what it began");
  UnderWay operation = at->second;
  under_way_.erase(at);
  return finish(operation, end);
}

Result<> DiskReplay::finish(const UnderWay& operation, const real::OperationEnd& end) {
  const OperationBegin& b = operation.begin;
  bool of_names = b.call <= DiskCall::kLock && b.call != DiskCall::kSyncDir;
  if (!end.succeeded && of_names) return {};  // "not there", "already there": asked, and nothing changed
  if (!end.succeeded) return fail(Code::kIo, fmt::format("operation {} ({}) failed while nothing was wrong with the disk", b.operation, real::name(b.call)));
  if (Result<> done = perform(*disk_, operation, b.call == DiskCall::kWrite ? end.bytes : whole(b)); !done) return impossible(b, done.error());
  if (b.call != DiskCall::kOpen && b.call != DiskCall::kCreate) return {};
  HF_TRY(path, inside(b.path));
  Result<InodePtr> file = disk_->find(path);
  if (!file) return impossible(b, file.error());
  files_[b.operation] = *file;
  return {};
}

Result<> DiskReplay::perform(DiskModel& disk, const UnderWay& operation, uint64_t how_much) const {
  const OperationBegin& b = operation.begin;
  if (how_much == 0 || b.call == DiskCall::kOpen) return {};
  auto made = [](Result<InodePtr> r) -> Result<> { return r ? Result<>() : fail(r); };
  std::string path, to;
  if (b.call <= DiskCall::kLock) {
    HF_TRY(p, inside(b.path));
    path = std::move(p);
  }
  InodePtr file;
  if (b.call > DiskCall::kLock && !(file = file_in(disk, b.file))) {
    if (&disk != disk_.get()) return {};
    return fail(Code::kCorrupt, fmt::format("file {} was never opened", b.file));
  }
  switch (b.call) {
    case DiskCall::kOpen:
      return {};
    case DiskCall::kCreate:
      return made(disk.create(path, false));
    case DiskCall::kMakeDir:
      return made(disk.create(path, true));
    case DiskCall::kLock:
      return disk.find(path) ? Result<>() : made(disk.create(path, false));
    case DiskCall::kRename: {
      HF_TRY(target, inside(b.to));
      return disk.rename(path, target);
    }
    case DiskCall::kRemove:
      return disk.remove(path);
    case DiskCall::kSyncDir: {
      HF_TRY(dir, disk.find(path));
      disk.sync(dir, operation.mark, kWeak);
      return {};
    }
    case DiskCall::kWrite:
      return disk.write(file, b.offset, b.data.substr(0, how_much));
    case DiskCall::kSync:
      disk.sync(file, operation.mark, kWeak);
      return {};
    case DiskCall::kTruncate:
      disk.resize(file, b.length);
      return {};
    case DiskCall::kPreallocate:
      return disk.zero(file, b.offset, std::min(how_much, b.length));
  }
  std::unreachable();
}

DiskReplay::Settlement DiskReplay::look(const fs::path& base) const {
  Settlement out;
  for (const auto& [number, operation] : under_way_) {
    const OperationBegin& b = operation.begin;
    auto real_path = [&](std::string_view path) { return base.string() + inside(path).value_or(""); };
    fs::path file;
    uint64_t size = 0, before = 0;
    if (auto at = files_.find(b.file); b.call > DiskCall::kLock && at != files_.end())
      if (auto path = path_of(disk_->root(), at->second->number); path && fs::exists(base / *path)) {
        file = base / *path;
        size = fs::file_size(file);
        before = at->second->cache.size();
      }
    uint64_t& happened = out[number];
    switch (b.call) {
      case DiskCall::kCreate:
      case DiskCall::kMakeDir:
      case DiskCall::kLock:
        happened = fs::exists(real_path(b.path)) && !disk_->find(*inside(b.path));
        break;
      case DiskCall::kRename:
        happened = fs::exists(real_path(b.to)) && !disk_->find(*inside(b.to));
        break;
      case DiskCall::kRemove:
        happened = !fs::exists(real_path(b.path)) && disk_->find(*inside(b.path));
        break;
      case DiskCall::kWrite: {
        Buffer bytes = read_file(file, b.offset, b.data.size());
        happened = static_cast<uint64_t>(std::ranges::mismatch(bytes, b.data).in1 - bytes.begin());
        break;
      }
      case DiskCall::kTruncate:
        happened = !file.empty() && size == b.length;
        break;
      case DiskCall::kPreallocate:
        happened = size > before && size > b.offset ? size - b.offset : 0;
        break;
      case DiskCall::kOpen:
      case DiskCall::kSync:
      case DiskCall::kSyncDir:
        break;  // whatever a sync achieved that nobody was told of, nobody may rely on
    }
  }
  return out;
}

void DiskReplay::settle(const Settlement& settlement) {
  for (const auto& [number, operation] : under_way_)
    // What cannot have happened shows in difference().
    if (auto at = settlement.find(number); at != settlement.end()) (void)perform(*disk_, operation, at->second);
  under_way_.clear();
  files_.clear();
}

std::optional<std::string> DiskReplay::play(const real::OperationRecord& record, Settlement* settlement) {
  for (const real::OperationEvent& event : record.events)
    if (Result<> applied = apply(event); !applied) return applied.error().message;
  Settlement found = look(base_);
  settle(found);
  if (settlement) *settlement = std::move(found);
  if (auto different = difference(base_)) return "the record does not explain the directory: " + *different;
  return std::nullopt;
}

std::optional<std::string> DiskReplay::difference(const fs::path& base) const {
  for (const auto& [name, child] : disk_->root().names) {
    fs::path path = base / name;
    if (!fs::exists(path)) return path.string() + " is in the model only";
    if (child->directory)
      if (auto found = compare(*child, path)) return found;
  }
  return std::nullopt;
}

std::unique_ptr<DiskModel> DiskReplay::cut(sim::Stream& s) const {
  std::unique_ptr<DiskModel> out = disk_->clone();
  for (const auto& [number, operation] : under_way_) {
    const OperationBegin& b = operation.begin;
    if (b.call == DiskCall::kSync || b.call == DiskCall::kSyncDir) continue;
    enum : uint64_t { kNothing, kWhole, kPart };
    uint64_t how_much = s.decide(3);
    if (how_much == kPart) how_much = whole(b) > 1 ? s.decide(whole(b) + 1) : s.decide(2);
    else if (how_much == kWhole) how_much = whole(b);
    (void)perform(*out, operation, how_much);
  }
  return out;
}

}  // namespace holdfast::chaos
