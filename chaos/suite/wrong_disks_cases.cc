#include "chaos/suite/wrong_disks_cases.h"

#include <fmt/format.h>

#include <algorithm>

#include "chaos/suite/small_directory.h"
#include "core/journal_segment.h"
#include "core/settings_format.h"

namespace holdfast::chaos {
namespace {

using sim::DiskModel;
using sim::Fault;

std::string full(std::string_view path) { return fmt::format("{}/{}", kSmallData, path); }

bool is_manifest(std::string_view path) { return path.starts_with("MANIFEST."); }
bool is_segment(std::string_view path) { return path.starts_with("journal/"); }
bool is_shard(std::string_view path) { return path.starts_with("db/") && path.ends_with(".db"); }

std::optional<core::Manifest> newest_manifest(const DiskModel& disk) {
  auto settings = core::decode_settings(data_file(disk, "HOLDFAST").value_or(Buffer()));
  std::optional<core::Manifest> newest;
  for (const std::string& path : data_files(disk)) {
    if (!is_manifest(path) || !settings) continue;
    const core::DirectorySettings& whose = settings->slot.settings;
    auto m = core::decode_manifest(*data_file(disk, path), whose.cluster_id, whose.server_id);
    if (m && (!newest || newest->number < m->number)) newest = std::move(*m);
  }
  return newest;
}

/// Where the log goes on after the newest checkpoint.
std::string base_segment(const DiskModel& disk) {
  std::optional<core::Manifest> newest = newest_manifest(disk);
  return newest ? "journal/" + core::segment_name(newest->position.segment) : "";
}

/// Each start writes the newest checkpoint again under another number: what it says counts.
std::optional<core::Manifest> newest_checkpoint(const DiskModel& disk) {
  std::optional<core::Manifest> newest = newest_manifest(disk);
  if (newest) newest->number = 0;
  return newest;
}

class Cases {
 public:
  explicit Cases(const Disks& disks) : disks_(disks), own_(data_files(*disks.own)) {}

  std::vector<WrongDisk> all() {
    wipe();
    replace("the twin's", *disks_.foreign, Fault::kForeign);
    for (size_t i = 0; i < disks_.earlier.size(); ++i) {
      std::string whose = fmt::format("earlier ({})", i);
      replace(whose, *disks_.earlier[i], Fault::kStale);
      replace_all_but(whose, *disks_.earlier[i], Fault::kStale);
    }
    replace_all_but("the twin's", *disks_.foreign, Fault::kForeign);
    unfinish();
    misplace();
    return std::move(out_);
  }

 private:
  using Which = bool (*)(std::string_view);

  void add(WrongDisk made) {
    if (!made.files.empty()) out_.push_back(std::move(made));
  }

  // ---- Gone.

  void wipe() {
    for (const std::string& path : own_) add({path + " gone", {gone(path)}, {}});
    add({"LOCK gone", {gone("LOCK")}, {}});
    for (Which which : {is_manifest, is_segment, is_shard}) {
      WrongDisk made;
      for (const std::string& path : own_)
        if (which(path)) made.files.push_back(gone(path));
      if (made.files.empty()) continue;
      made.what = made.files.front().path + " and all like it gone";
      if (which == is_segment) made.rest = {"journal"};  // it is empty
      add(std::move(made));
    }
    for (const char* directory : {"journal", "db", "db/db"})
      if (disks_.own->find(full(directory))) add({std::string(directory) + " gone", {gone(directory)}, {}});
    add(all_gone_but("HOLDFAST"));
  }
  WrongFile gone(std::string path) const { return {std::move(path), std::nullopt, Fault::kWiped}; }
  WrongDisk all_gone_but(std::string_view kept) const {
    WrongDisk made{fmt::format("all gone but {}", kept), {}, {}};
    for (const io::DirEntry& e : sim::DurableView(*disks_.own).list(kSmallData))
      if (e.name != kept) made.files.push_back(gone(e.name));
    return made;
  }

  // ---- From another disk.

  /// Each file, and each kind of them.
  void replace(const std::string& whose, const DiskModel& other, Fault kind) {
    for (const std::string& path : data_files(other)) {
      WrongDisk made{fmt::format("{} {}", whose, path), {}, {}};
      put(made, path, other, kind);
      add(std::move(made));
    }
    add(tree(whose, other, kind, "MANIFESTs", is_manifest));
    add(tree(whose, other, kind, "journal", is_segment));
    add(tree(whose, other, kind, "db", [](std::string_view p) { return p.starts_with("db/"); }));
  }
  void put(WrongDisk& made, const std::string& path, const DiskModel& other, Fault kind) const {
    std::optional<Buffer> content = data_file(other, path);
    if (content != data_file(*disks_.own, path)) made.files.push_back({path, std::move(content), kind});
  }
  /// All files of one kind, and none of the own.
  WrongDisk tree(const std::string& whose, const DiskModel& other, Fault kind, const char* name, Which which) const {
    WrongDisk made{fmt::format("{} {} as a whole", whose, name), {}, {}};
    std::vector<std::string> others = data_files(other);
    for (const std::string& path : own_)
      if (which(path) && !std::ranges::binary_search(others, path)) made.files.push_back({path, std::nullopt, kind});
    for (const std::string& path : others)
      if (which(path)) put(made, path, other, kind);
    return made;
  }
  /// Everything but one part. With the twin's HOLDFAST and its log it would be the twin's directory.
  void replace_all_but(const std::string& whose, const DiskModel& other, Fault kind) {
    add(all_but(whose, other, kind, "HOLDFAST", [](std::string_view p) { return p == "HOLDFAST"; }));
    add(all_but(whose, other, kind, "the MANIFESTs", is_manifest));
    add(all_but(whose, other, kind, "the journal", is_segment));
    if (kind == Fault::kForeign) return;
    add(all_but(whose, other, kind, "db", [](std::string_view p) { return p.starts_with("db/"); }));
    for (const std::string& own : own_)
      if (is_shard(own)) add(all_but(whose, other, kind, own, [&own](std::string_view p) { return p == own; }));
  }
  template <class Kept>
  WrongDisk all_but(const std::string& whose, const DiskModel& other, Fault kind, std::string_view name,
                    Kept kept) const {
    WrongDisk made{fmt::format("all {} but {}", whose, name), {}, {}};
    std::ranges::copy_if(own_, std::back_inserter(made.rest), kept);
    std::vector<std::string> others = data_files(other);
    for (const std::string& path : own_)
      if (!kept(path) && !std::ranges::binary_search(others, path)) made.files.push_back({path, std::nullopt, kind});
    for (const std::string& path : others)
      if (!kept(path)) put(made, path, other, kind);
    return made;
  }

  /// HOLDFAST as it was before the first start had come to its end.
  void unfinish() {
    auto found = core::decode_settings(*data_file(*disks_.own, "HOLDFAST"));
    core::SettingsSlot slot{.serial = 1, .settings = found->slot.settings};
    slot.settings.initialized = false;
    Buffer bytes = core::encode_settings_slot(slot);
    ++slot.serial;
    bytes += core::encode_settings_slot(slot);
    add({"HOLDFAST of the first start", {{"HOLDFAST", std::move(bytes), Fault::kStale}}, {}});
  }

  // ---- Elsewhere.

  void misplace() {
    for (Which which : {is_manifest, is_segment, is_shard}) {
      std::vector<std::string> some;
      std::ranges::copy_if(own_, std::back_inserter(some), which);
      // Not every pair: there may be forty segments.
      for (size_t i = 0; i + 1 < some.size(); ++i) swap(some[i], some[i + 1]);
      if (some.size() > 2) swap(some.front(), some.back());
    }
    for (const std::string& path : own_) {
      if (is_manifest(path)) rename(path, path + "7");  // a higher number
      if (!is_segment(path)) continue;
      auto seq = core::parse_segment_name(path.substr(path.find('/') + 1));
      if (seq) rename(path, "journal/" + core::segment_name(SegmentSeq(seq->value + 7)));
    }
  }
  void swap(const std::string& a, const std::string& b) {
    WrongDisk made{fmt::format("{} and {} swapped", a, b), {}, {}};
    made.files.push_back({a, data_file(*disks_.own, b), Fault::kMisdirected});
    made.files.push_back({b, data_file(*disks_.own, a), Fault::kMisdirected});
    if (made.files[0].content != made.files[1].content) add(std::move(made));
  }
  void rename(const std::string& from, const std::string& to) {
    WrongDisk made{fmt::format("{} under the name {}", from, to), {}, {}};
    made.files.push_back({to, data_file(*disks_.own, from), Fault::kMisdirected});
    add(made);
    made.what += " alone";
    made.files.push_back({from, std::nullopt, Fault::kMisdirected});
    add(std::move(made));
  }

  const Disks& disks_;
  const std::vector<std::string> own_;
  std::vector<WrongDisk> out_;
};

}  // namespace

Result<> WrongDisk::apply(sim::DiskModel& disk, sim::FaultCounts& counts) const {
  for (const WrongFile& f : files)
    HF_CHECK_OK(f.content ? disk.put(full(f.path), *f.content, f.kind, counts)
                          : disk.take_away(full(f.path), f.kind, counts));
  return {};
}

bool WrongDisk::touches(std::string_view path) const {
  return std::ranges::any_of(files, [&](const WrongFile& f) {
    return f.path == path || (path.starts_with(f.path) && path.substr(f.path.size()).starts_with('/'));
  });
}

std::vector<std::string> data_files(const DiskModel& disk) {
  std::vector<std::string> out;
  for (const std::string& path : sim::DurableView(disk).files(kSmallData))
    if (!path.ends_with("/LOCK")) out.push_back(path.substr(path.find('/') + 1));
  std::ranges::sort(out);
  return out;
}

std::optional<Buffer> data_file(const DiskModel& disk, const std::string& path) {
  return sim::DurableView(disk).read(full(path));
}

std::vector<WrongDisk> wrong_disks(const Disks& disks) { return Cases(disks).all(); }

std::vector<WrongDisk> wiped_disks(const Disks& disks) {
  std::vector<WrongDisk> out;
  WrongDisk lock{"all gone but LOCK", {}}, all{"all gone but the directory", {}, {}};
  for (const io::DirEntry& e : sim::DurableView(*disks.own).list(kSmallData)) {
    all.files.push_back({e.name, std::nullopt, Fault::kWiped});
    if (e.name != "LOCK") lock.files.push_back(all.files.back());
  }
  out.push_back(std::move(lock));
  out.push_back(std::move(all));
  out.push_back({"all gone", {{"", std::nullopt, Fault::kWiped}}, {}});
  return out;
}

WrongDisk whole_disk(const DiskModel& other, Fault kind) {
  WrongDisk made{"all of it", {{"", std::nullopt, kind}}, {}};
  for (const std::string& path : data_files(other)) made.files.push_back({path, data_file(other, path), kind});
  // It may be empty, and is there all the same.
  made.files.push_back({"db/nothing", "", kind});
  made.files.push_back({"db/nothing", std::nullopt, kind});
  return made;
}

bool is_spare_again(const WrongDisk& wrong, const DiskModel& own) {
  auto blank = [](const Buffer& segment) { return core::all_zero(Bytes(segment).substr(core::kJournalBlock)); };
  if (wrong.files.size() != 1) return false;
  const WrongFile& file = wrong.files[0];
  if (!is_segment(file.path) || !file.content || file.content->size() < core::kJournalBlock || !blank(*file.content))
    return false;
  for (const std::string& path : data_files(own))
    if (is_segment(path) && path > file.path && !blank(*data_file(own, path))) return false;
  return base_segment(own) != file.path;
}

bool is_as_earlier(const DiskModel& disk, const DiskModel& earlier) {
  auto counts = [](const std::string& path) { return path != "LOCK" && !path.contains(".sidx.") && !is_manifest(path); };
  if (newest_checkpoint(disk) != newest_checkpoint(earlier)) return false;
  std::vector<std::string> now = data_files(disk), then = data_files(earlier);
  std::erase_if(now, [&](const std::string& p) { return !counts(p) || p.starts_with("db/"); });
  for (const std::string& path : then) {
    if (!counts(path)) continue;
    std::optional<Buffer> a = data_file(disk, path), b = data_file(earlier, path);
    if (!a || (path.starts_with("db/") ? !a->starts_with(*b) : *a != *b)) return false;
    std::erase(now, path);
  }
  return now.empty();
}

}  // namespace holdfast::chaos
