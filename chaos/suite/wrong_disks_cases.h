// The cases of wrong-disks: which files are replaced, by what.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/disk_model.h"

namespace holdfast::chaos {

/// One file that is replaced, or a file or directory that is taken away.
struct WrongFile {
  std::string path;               ///< in the data directory
  std::optional<Buffer> content;  ///< nothing: it is gone
  sim::Fault kind;
};

struct WrongDisk {
  std::string what;  ///< for people
  std::vector<WrongFile> files;
  std::vector<std::string> rest;  ///< what is left of the own: a refusal may name it, as it does not go with the others

  Result<> apply(sim::DiskModel& disk, sim::FaultCounts& counts) const;
  bool touches(std::string_view path) const;
};

struct Disks {
  const sim::DiskModel* own;
  const sim::DiskModel* foreign;  ///< the twin's
  std::vector<const sim::DiskModel*> earlier;
};

/// The files of a data directory but LOCK, sorted.
std::vector<std::string> data_files(const sim::DiskModel& disk);
std::optional<Buffer> data_file(const sim::DiskModel& disk, const std::string& path);

/// Every case in which something else than the whole is wrong; none of them leaves the disk as it was.
std::vector<WrongDisk> wrong_disks(const Disks& disks);
/// The directory is empty, or not there.
std::vector<WrongDisk> wiped_disks(const Disks& disks);
/// Where the directory was, there is another one with the files of that other disk.
WrongDisk whole_disk(const sim::DiskModel& other, sim::Fault kind);

/// Whether all that counts is as it was then: the files that are sealed, and of the shards' at least what was there.
bool is_as_earlier(const sim::DiskModel& disk, const sim::DiskModel& earlier);
/// Whether the segment that the log is in is a spare again, as in the moment when it came into use. The checkpoint is
/// older than that.
bool is_spare_again(const WrongDisk& wrong, const sim::DiskModel& own);

}  // namespace holdfast::chaos
