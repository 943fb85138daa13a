#include "chaos/runner/real/image_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "core/settings_format.h"

namespace holdfast::chaos {
namespace {

constexpr size_t kSlotBytes = 4096;

void must(bool done, const std::filesystem::path& path) {
  if (done) return;
  std::perror(path.c_str());
  std::exit(1);
}

void write_at(int fd, Bytes bytes, uint64_t offset, const std::filesystem::path& path) {
  must(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes.size()), path);
}

void write_file(const sim::Image& image, const std::filesystem::path& path) {
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  must(fd >= 0 && ftruncate(fd, static_cast<off_t>(image.size())) == 0, path);
  char page[sim::kPageBytes];
  for (uint64_t at = 0; at < image.size(); at += sizeof page) {
    if (image.is_blank(at / sizeof page)) continue;
    size_t n = std::min<uint64_t>(sizeof page, image.size() - at);
    image.read(at, MutableBytes(page, n));
    write_at(fd, Bytes(page, n), at, path);
  }
  close(fd);
}

void move_settings(const std::filesystem::path& settings, const std::filesystem::path& directory) {
  struct stat st {};
  must(stat(directory.c_str(), &st) == 0, directory);
  int fd = open(settings.c_str(), O_RDWR | O_CLOEXEC);
  must(fd >= 0, settings);
  for (uint64_t slot = 0; slot < 2; ++slot) {
    Buffer block(kSlotBytes, '\0');
    if (pread(fd, block.data(), block.size(), static_cast<off_t>(slot * kSlotBytes)) != static_cast<ssize_t>(block.size())) continue;
    Result<core::SettingsSlot> found = core::decode_settings_slot(block);
    if (!found) continue;
    found->settings.identity = {st.st_dev, st.st_ino};
    write_at(fd, core::encode_settings_slot(*found), slot * kSlotBytes, settings);
  }
  close(fd);
}

void write_directory(const sim::Inode& dir, const std::filesystem::path& path) {
  must(mkdir(path.c_str(), 0755) == 0, path);
  for (const auto& [name, child] : dir.durable_names) {
    if (child->directory)
      write_directory(*child, path / name);
    else
      write_file(child->durable, path / name);
  }
}

const sim::Inode* find_durable(const sim::Inode* at, std::string_view path) {
  while (at && !path.empty()) {
    size_t n = std::min(path.find('/'), path.size());
    if (n > 0) {
      auto it = at->durable_names.find(std::string(path.substr(0, n)));
      at = it == at->durable_names.end() ? nullptr : it->second.get();
    }
    path.remove_prefix(std::min(n + 1, path.size()));
  }
  return at;
}

}  // namespace

void write_image(const sim::DiskModel& disk, std::string_view model_path, const std::filesystem::path& directory) {
  const sim::Inode* top = find_durable(&disk.root(), model_path);
  if (!top) return;
  write_directory(*top, directory);
  if (top->durable_names.contains("HOLDFAST")) move_settings(directory / "HOLDFAST", directory);
}

Buffer read_file(const std::filesystem::path& path, uint64_t offset, uint64_t length) {
  std::error_code none;
  uint64_t size = std::filesystem::file_size(path, none);
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || none || offset >= size) length = 0;
  else length = std::min(length, size - offset);
  Buffer out(length, '\0');
  uint64_t done = 0;
  for (ssize_t n; done < length && (n = pread(fd, out.data() + done, length - done, static_cast<off_t>(offset + done))) > 0;) done += static_cast<uint64_t>(n);
  out.resize(done);
  if (fd >= 0) close(fd);
  return out;
}

void flip_bit(const std::filesystem::path& file, uint64_t offset, uint8_t bit) {
  int fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
  char c = 0;
  must(fd >= 0 && pread(fd, &c, 1, static_cast<off_t>(offset)) == 1, file);
  c = static_cast<char>(c ^ (1 << (bit & 7)));
  write_at(fd, Bytes(&c, 1), offset, file);
  close(fd);
}

}  // namespace holdfast::chaos
