// Image files: what a disk model holds for sure, as real files that a real server can be started on.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sim/disk_model.h"

namespace holdfast::chaos {

/// Writes the durable names and contents below `model_path` to `directory`, which is made; when the model has no such directory, neither is it made. Blank pages
/// become holes. Ends this program with a message when the files cannot be written.
///
/// HOLDFAST is told the identity of its new directory: it remembers device and inode of the one it was made in, and a server refuses a directory that was
/// copied from a running one. Here the very disk is meant, only that it now lies elsewhere. The sound slots that name one identity are written again with
/// the new one; slots that are torn, and everything else, stay as they are.
void write_image(const sim::DiskModel& disk, std::string_view model_path, const std::filesystem::path& directory);

/// At most `length` bytes of a file from `offset` on; fewer where it ends, none when it cannot be read.
Buffer read_file(const std::filesystem::path& path, uint64_t offset = 0, uint64_t length = UINT64_MAX);
/// Flips one bit of a file.
void flip_bit(const std::filesystem::path& file, uint64_t offset, uint8_t bit);

}  // namespace holdfast::chaos
