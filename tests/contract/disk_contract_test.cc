// What io/disk.h promises.
#include "tests/contract/host_under_test.h"

namespace holdfast::contract {
namespace {

using io::Open;

HOLDFAST_CONTRACT(DiskContract);

io::Task<Result<>> put(io::Disk& disk, std::string path, std::string text) {
  HF_CO_TRY(file, co_await disk.open(path, Open::kCreate));
  co_return co_await io::write_fully(*file, 0, text);
}

io::Task<Result<Buffer>> get(io::Disk& disk, std::string path) {
  co_return co_await io::read_whole(disk, std::move(path), 64 << 20);
}

std::string pattern(size_t n) {
  std::string out(n, '\0');
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<char>(i * 31 + i / 4093);
  return out;
}

TEST_P(DiskContract, ReadsBackWhatWasWritten) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    std::string text = pattern(3'000'000);  // more than any host does in one piece
    CO_OK(co_await put(host.disk, dir + "/f", text));
    CO_VALUE(back, co_await get(host.disk, dir + "/f"));
    EXPECT_TRUE(back == text);
  });
}

TEST_P(DiskContract, OpenOfWhatIsMissingIsNotFound) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    EXPECT_CODE(Code::kNotFound, co_await host.disk.open(dir + "/f", Open::kRead));
    EXPECT_CODE(Code::kNotFound, co_await host.disk.open(dir + "/f", Open::kReadWrite));
    EXPECT_CODE(Code::kNotFound, co_await host.disk.open(dir + "/no/f", Open::kCreate));
    CO_VALUE(entries, co_await host.disk.list(dir));
    EXPECT_TRUE(entries.empty());
  });
}

TEST_P(DiskContract, CreateRefusesWhatIsThere) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await put(host.disk, dir + "/f", "kept"));
    CO_OK(co_await host.disk.make_dir(dir + "/d"));
    EXPECT_CODE(Code::kExists, co_await host.disk.open(dir + "/f", Open::kCreate));
    EXPECT_CODE(Code::kExists, co_await host.disk.open(dir + "/d", Open::kCreate));
    CO_VALUE(back, co_await get(host.disk, dir + "/f"));
    EXPECT_EQ(back, "kept");
  });
}

TEST_P(DiskContract, ReadOnlyFileRefusesWrites) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await put(host.disk, dir + "/f", "kept"));
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kRead));
    EXPECT_CODE(Code::kIo, co_await file->write_at(0, "lost"));
    CO_VALUE(back, co_await get(host.disk, dir + "/f"));
    EXPECT_EQ(back, "kept");
  });
}

TEST_P(DiskContract, ReadWriteChangesInPlace) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await put(host.disk, dir + "/f", "0123456789"));
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kReadWrite));
    CO_OK(co_await io::write_fully(*file, 3, "abc"));
    CO_VALUE(size, co_await file->size());
    EXPECT_EQ(size, 10u);
    CO_VALUE(back, co_await get(host.disk, dir + "/f"));
    EXPECT_EQ(back, "012abc6789");
  });
}

TEST_P(DiskContract, TwoOpenFilesSeeEachOthersWrites) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_VALUE(writer, co_await host.disk.open(dir + "/f", Open::kCreate));
    CO_VALUE(reader, co_await host.disk.open(dir + "/f", Open::kRead));
    CO_OK(co_await io::write_fully(*writer, 0, "unsynced"));
    char bytes[8];
    CO_OK(co_await io::read_exactly(*reader, 0, bytes));
    EXPECT_EQ(Bytes(bytes, 8), "unsynced");
  });
}

TEST_P(DiskContract, ReadsEndAtTheEndOfTheFile) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await put(host.disk, dir + "/f", "abc"));
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kRead));
    char bytes[100];
    CO_VALUE(across, co_await file->read_at(2, bytes));
    EXPECT_EQ(across, 1u);
    EXPECT_EQ(bytes[0], 'c');
    CO_VALUE(at_end, co_await file->read_at(3, bytes));
    EXPECT_EQ(at_end, 0u);
    CO_VALUE(past_end, co_await file->read_at(1'000'000, bytes));
    EXPECT_EQ(past_end, 0u);
    EXPECT_CODE(Code::kCorrupt, co_await io::read_exactly(*file, 0, bytes));
  });
}

TEST_P(DiskContract, EmptyWritesAndReadsDoNothing) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kCreate));
    CO_VALUE(written, co_await file->write_at(10, ""));
    EXPECT_EQ(written, 0u);
    CO_VALUE(read, co_await file->read_at(0, {}));
    EXPECT_EQ(read, 0u);
    CO_VALUE(size, co_await file->size());
    EXPECT_EQ(size, 0u);
  });
}

TEST_P(DiskContract, GapsReadAsZeros) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kCreate));
    CO_OK(co_await io::write_fully(*file, 20'000, "end"));
    CO_VALUE(size, co_await file->size());
    EXPECT_EQ(size, 20'003u);
    CO_VALUE(back, co_await get(host.disk, dir + "/f"));
    EXPECT_TRUE(back == std::string(20'000, '\0') + "end");
  });
}

TEST_P(DiskContract, TruncateCutsAndGrowsWithZeros) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await put(host.disk, dir + "/f", pattern(10'000)));
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kReadWrite));
    CO_OK(co_await file->truncate(5'000));
    CO_VALUE(cut, co_await file->size());
    EXPECT_EQ(cut, 5'000u);
    CO_OK(co_await file->truncate(9'000));
    CO_VALUE(back, co_await get(host.disk, dir + "/f"));
    EXPECT_TRUE(back == pattern(5'000) + std::string(4'000, '\0')) << "what was cut never comes back";
  });
}

TEST_P(DiskContract, PreallocatedRangeReadsAsZerosAndCounts) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await put(host.disk, dir + "/f", "head, and what the zeros replace"));
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kReadWrite));
    CO_OK(co_await file->preallocate(4, 1 << 20));
    CO_VALUE(size, co_await file->size());
    EXPECT_EQ(size, (1u << 20) + 4);
    CO_OK(co_await file->sync());
    CO_VALUE(back, co_await get(host.disk, dir + "/f"));
    EXPECT_TRUE(back == "head" + std::string(1 << 20, '\0'));
    CO_OK(co_await file->preallocate(0, 0));
  });
}

TEST_P(DiskContract, PreallocateMoreThanThereIsIsDiskFull) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_VALUE(free, co_await host.disk.free_bytes(dir));
    EXPECT_GT(free, 0u);
    // Beyond some size a file system says "too large" instead.
    if (free > (uint64_t{4} << 40)) co_return;
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kCreate));
    EXPECT_CODE(Code::kDiskFull, co_await file->preallocate(0, free + (uint64_t{64} << 30)));
  });
}

TEST_P(DiskContract, ListIsSortedAndTellsDirectories) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    for (const char* name : {"b", "a", "c10", "c9", "Z"}) CO_OK(co_await put(host.disk, dir + "/" + name, ""));
    CO_OK(co_await host.disk.make_dir(dir + "/bb"));
    CO_OK(co_await put(host.disk, dir + "/bb/inner", ""));
    CO_VALUE(entries, co_await host.disk.list(dir));
    std::vector<io::DirEntry> expected = {{"Z", false}, {"a", false},   {"b", false},
                                          {"bb", true}, {"c10", false}, {"c9", false}};
    EXPECT_EQ(entries, expected);
    EXPECT_CODE(Code::kNotFound, co_await host.disk.list(dir + "/none"));
  });
}

TEST_P(DiskContract, MakeDirRefusesWhatIsThereAndNeedsItsParent) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await host.disk.make_dir(dir + "/d"));
    EXPECT_CODE(Code::kExists, co_await host.disk.make_dir(dir + "/d"));
    CO_OK(co_await put(host.disk, dir + "/f", ""));
    EXPECT_CODE(Code::kExists, co_await host.disk.make_dir(dir + "/f"));
    EXPECT_CODE(Code::kNotFound, co_await host.disk.make_dir(dir + "/x/y"));
  });
}

TEST_P(DiskContract, RenameMovesAlsoBetweenDirectories) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await put(host.disk, dir + "/f", "text"));
    CO_OK(co_await host.disk.make_dir(dir + "/d"));
    CO_OK(co_await host.disk.rename(dir + "/f", dir + "/g"));
    CO_OK(co_await host.disk.rename(dir + "/g", dir + "/d/h"));
    EXPECT_CODE(Code::kNotFound, co_await host.disk.open(dir + "/f", Open::kRead));
    EXPECT_CODE(Code::kNotFound, co_await host.disk.open(dir + "/g", Open::kRead));
    CO_VALUE(back, co_await get(host.disk, dir + "/d/h"));
    EXPECT_EQ(back, "text");
    CO_OK(co_await host.disk.rename(dir + "/d", dir + "/e"));
    CO_VALUE(again, co_await get(host.disk, dir + "/e/h"));
    EXPECT_EQ(again, "text");
  });
}

TEST_P(DiskContract, RenameRefusesToReplace) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await put(host.disk, dir + "/a", "a"));
    CO_OK(co_await put(host.disk, dir + "/b", "b"));
    CO_OK(co_await host.disk.make_dir(dir + "/d"));
    CO_OK(co_await host.disk.make_dir(dir + "/e"));
    EXPECT_CODE(Code::kExists, co_await host.disk.rename(dir + "/a", dir + "/b"));
    EXPECT_CODE(Code::kExists, co_await host.disk.rename(dir + "/a", dir + "/d"));
    EXPECT_CODE(Code::kExists, co_await host.disk.rename(dir + "/d", dir + "/e"));
    EXPECT_CODE(Code::kNotFound, co_await host.disk.rename(dir + "/none", dir + "/c"));
    CO_VALUE(a, co_await get(host.disk, dir + "/a"));
    CO_VALUE(b, co_await get(host.disk, dir + "/b"));
    EXPECT_EQ(a + b, "ab");
  });
}

TEST_P(DiskContract, RemoveTakesFilesAndEmptyDirectoriesOnly) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await host.disk.make_dir(dir + "/d"));
    CO_OK(co_await put(host.disk, dir + "/d/f", "text"));
    EXPECT_FALSE((co_await host.disk.remove(dir + "/d")).has_value());
    CO_VALUE(back, co_await get(host.disk, dir + "/d/f"));
    EXPECT_EQ(back, "text");
    CO_OK(co_await host.disk.remove(dir + "/d/f"));
    CO_OK(co_await host.disk.remove(dir + "/d"));
    EXPECT_CODE(Code::kNotFound, co_await host.disk.remove(dir + "/d"));
    CO_VALUE(entries, co_await host.disk.list(dir));
    EXPECT_TRUE(entries.empty());
  });
}

TEST_P(DiskContract, OpenFileOutlivesItsName) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kCreate));
    CO_OK(co_await io::write_fully(*file, 0, "abc"));
    CO_OK(co_await host.disk.rename(dir + "/f", dir + "/g"));
    CO_OK(co_await io::write_fully(*file, 3, "def"));
    CO_VALUE(renamed, co_await get(host.disk, dir + "/g"));
    EXPECT_EQ(renamed, "abcdef");
    CO_OK(co_await host.disk.remove(dir + "/g"));
    char bytes[6];
    CO_OK(co_await io::read_exactly(*file, 0, bytes));
    EXPECT_EQ(Bytes(bytes, 6), "abcdef");
    CO_OK(co_await put(host.disk, dir + "/g", "new"));
    CO_OK(co_await io::read_exactly(*file, 0, bytes));
    EXPECT_EQ(Bytes(bytes, 6), "abcdef") << "a new file of the old name is another file";
  });
}

TEST_P(DiskContract, SyncsSucceedAndAMissingDirectoryIsNotFound) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kCreate));
    CO_OK(co_await file->sync());
    CO_OK(co_await io::write_fully(*file, 0, pattern(100'000)));
    CO_OK(co_await file->sync());
    CO_OK(co_await host.disk.sync_dir(dir));
    EXPECT_CODE(Code::kNotFound, co_await host.disk.sync_dir(dir + "/none"));
  });
}

TEST_P(DiskContract, OperationsOnOneFileOverlap) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_VALUE(file, co_await host.disk.open(dir + "/f", Open::kCreate));
    constexpr size_t kPiece = 10'000;
    std::string text = pattern(20 * kPiece);
    io::TaskGroup group(co_await io::this_executor());
    struct Step {
      static io::Task<void> write(io::File& f, uint64_t at, Bytes piece) {
        CO_OK(co_await io::write_fully(f, at, piece));
        CO_OK(co_await f.sync());
        std::string back(piece.size(), '\0');
        CO_OK(co_await io::read_exactly(f, at, back));
        EXPECT_TRUE(back == piece);
      }
    };
    for (size_t i = 0; i < 20; ++i) group.spawn(Step::write(*file, i * kPiece, Bytes(text).substr(i * kPiece, kPiece)));
    co_await group.drained();
    CO_VALUE(back, co_await get(host.disk, dir + "/f"));
    EXPECT_TRUE(back == text);
  });
}

TEST_P(DiskContract, WorkUnderWayMayBeLeftBehind) {
  run(2, [](io::Host& host, std::string dir) -> io::Task<void> {
    struct Work {
      static io::Task<void> run(io::Disk& disk, std::string path) {
        CO_VALUE(file, co_await disk.open(path, Open::kCreate));
        for (uint64_t i = 0;; ++i) {
          CO_OK(co_await file->preallocate(i << 20, 1 << 20));
          CO_OK(co_await file->sync());
        }
      }
    };
    for (uint16_t core : {0, 1}) {
      std::string path = dir + "/" + std::to_string(core);
      host.cores.send(CoreId(0), CoreId(core), [&host, path, core] {
        host.cores.executor(CoreId(core)).spawn(Work::run(host.disk, path));
      });
    }
    co_await io::sleep_for(milliseconds(5));
  });
}

TEST_P(DiskContract, LockIsExclusiveUntilItsHolderLetsGo) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    {
      CO_VALUE(held, co_await host.disk.lock(dir + "/LOCK"));
      EXPECT_CODE(Code::kLocked, co_await host.disk.lock(dir + "/LOCK"));
      CO_VALUE(other, co_await host.disk.lock(dir + "/LOCK2"));
    }
    CO_VALUE(again, co_await host.disk.lock(dir + "/LOCK"));
    EXPECT_CODE(Code::kNotFound, co_await host.disk.lock(dir + "/none/LOCK"));
    CO_VALUE(entries, co_await host.disk.list(dir));
    EXPECT_EQ(entries.size(), 2u) << "the lock made its files";
  });
}

TEST_P(DiskContract, IdentityStaysWithTheThingAndDiffersBetweenThings) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await host.disk.make_dir(dir + "/d"));
    CO_OK(co_await host.disk.make_dir(dir + "/e"));
    CO_VALUE(d, co_await host.disk.identity(dir + "/d"));
    CO_VALUE(e, co_await host.disk.identity(dir + "/e"));
    EXPECT_FALSE(d == e);
    CO_OK(co_await host.disk.rename(dir + "/d", dir + "/f"));
    CO_VALUE(f, co_await host.disk.identity(dir + "/f"));
    EXPECT_TRUE(d == f);
    EXPECT_CODE(Code::kNotFound, co_await host.disk.identity(dir + "/d"));
  });
}

TEST_P(DiskContract, ReadWholeRefusesWhatIsTooLarge) {
  run([](io::Host& host, std::string dir) -> io::Task<void> {
    CO_OK(co_await put(host.disk, dir + "/f", "12345"));
    CO_VALUE(exact, co_await io::read_whole(host.disk, dir + "/f", 5));
    EXPECT_EQ(exact, "12345");
    EXPECT_CODE(Code::kTooLarge, co_await io::read_whole(host.disk, dir + "/f", 4));
  });
}

}  // namespace
}  // namespace holdfast::contract
