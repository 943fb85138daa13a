#include "server/flags.h"

#include <gtest/gtest.h>

namespace holdfast::server {
namespace {

Flags parse(std::vector<const char*> arguments) { return parse_flags(arguments); }

TEST(Flags, DefaultsAreThoseOfTheDocumentation) {
  Flags f = parse({});
  ASSERT_TRUE(f.options) << f.errors;
  const Config& c = f.options->config;
  EXPECT_EQ(c.engine.data_path, "./holdfast-data");
  EXPECT_EQ(c.listen, (io::Endpoint{"localhost", 6900}));
  EXPECT_EQ(c.engine.shard_count, std::nullopt) << "the directory's own count, 256 for a new one";
  EXPECT_EQ(c.engine.mode, std::nullopt);
  EXPECT_EQ(c.default_database, "default");
  EXPECT_EQ(c.limits.connections, 10'000u);
  EXPECT_EQ(c.engine.journal.async_lag_max, milliseconds(100));
  EXPECT_EQ(c.engine.journal.async_lag_bytes_max, uint64_t{8} << 20);
  EXPECT_EQ(f.options->cores, 1);
  EXPECT_FALSE(f.options->debug);
}

TEST(Flags, AllAreTaken) {
  Flags f = parse({"--data-path",
                   "/d",
                   "--port=127.0.0.1:7000",
                   "--shards",
                   "16",
                   "--sync-mode",
                   "async",
                   "--convert-sync-mode",
                   "--cores",
                   "4",
                   "--db-name",
                   "main",
                   "--load-dbs",
                   "a,b",
                   "--max-connections",
                   "5",
                   "--async-max-lag-ms",
                   "7",
                   "--async-max-lag-bytes",
                   "8192",
                   "--max-databases",
                   "3",
                   "--debug"});
  ASSERT_TRUE(f.options) << f.errors;
  const Config& c = f.options->config;
  EXPECT_EQ(c.engine.data_path, "/d");
  EXPECT_EQ(c.listen, (io::Endpoint{"127.0.0.1", 7000}));
  EXPECT_EQ(c.engine.shard_count, 16);
  EXPECT_EQ(c.engine.mode, core::SyncMode::kAsync);
  EXPECT_TRUE(c.engine.convert_mode);
  EXPECT_EQ(c.default_database, "main");
  EXPECT_EQ(c.load_databases, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(c.limits.connections, 5u);
  EXPECT_EQ(c.engine.journal.async_lag_max, milliseconds(7));
  EXPECT_EQ(c.engine.journal.async_lag_bytes_max, 8192u);
  EXPECT_EQ(c.engine.max_databases, 3u);
  EXPECT_EQ(f.options->cores, 4);
  EXPECT_TRUE(f.options->debug);
}

TEST(Flags, OfTheOriginalThatWouldDoNothingAreRefusedByName) {
  for (const char* flag :
       {"--cache-mb", "--compression", "--disable-crc", "--max-write-rate", "--compaction", "--compact-stale-ratio",
        "--compact-min-size", "--cluster-port", "--hook-collections", "--copy-window", "--max-offset-cache"})
    for (bool with_value : {false, true}) {
      Flags f = with_value ? parse({flag, "1"}) : parse({flag});
      EXPECT_FALSE(f.options) << flag;
      EXPECT_EQ(f.exit_code, 2) << flag;
      EXPECT_TRUE(f.errors.starts_with(std::string("holdfastd: unsupported: ") + flag + ": ")) << f.errors;
    }
}

TEST(Flags, MistakesAreUsageErrors) {
  for (std::vector<const char*> arguments : std::vector<std::vector<const char*>>{{"--no-such-flag"},
                                                                                  {"stray"},
                                                                                  {"--shards", "0"},
                                                                                  {"--shards", "4097"},
                                                                                  {"--shards", "x"},
                                                                                  {"--sync-mode", "maybe"},
                                                                                  {"--convert-sync-mode"},
                                                                                  {"--port", "70000"},
                                                                                  {"--port", ""},
                                                                                  {"--port", ":1"},
                                                                                  {"--port", "1:2:3"},
                                                                                  {"--port", "[::1]:5"},
                                                                                  {"--port", "-1"},
                                                                                  {"--cores", "0"},
                                                                                  {"--max-connections", "0"},
                                                                                  {"--db-name", "a/b"},
                                                                                  {"--load-dbs", "ok,no/pe"},
                                                                                  {"--data-path", ""},
                                                                                  {"--async-max-lag-ms", "0"}}) {
    Flags f = parse(arguments);
    EXPECT_FALSE(f.options) << arguments.back();
    EXPECT_EQ(f.exit_code, 2) << arguments.back();
    EXPECT_FALSE(f.errors.empty());
  }
}

TEST(Flags, AnAddressThatOthersReachNeedsUsersOrInsecure) {
  for (const char* port :
       {"0.0.0.0:6900", "192.168.1.4:6900", "127.example.org:1", "db.example.org:6900", "127.0.0.1.evil.org:9"}) {
    Flags guarded = parse({"--port", port});
    ASSERT_TRUE(guarded.options) << port;
    EXPECT_TRUE(guarded.options->config.login.required) << port;
    Flags insecure = parse({"--insecure", "--port", port});
    ASSERT_TRUE(insecure.options) << port;
    EXPECT_FALSE(insecure.options->config.login.required) << port;
  }
  for (const char* port : {"0", "6900", "localhost:1", "127.0.0.1:0", "127.1.2.3:9"}) {
    Flags local = parse({"--port", port});
    ASSERT_TRUE(local.options) << port;
    EXPECT_FALSE(local.options->config.login.required) << port;
  }
}

TEST(Flags, TakeAUserAndItsPassword) {
  Flags f = parse({"--username", "admin", "--password", "secret"});
  ASSERT_TRUE(f.options) << f.errors;
  EXPECT_EQ(f.options->config.login.username, "admin");
  EXPECT_EQ(Bytes(f.options->config.login.password), "secret");
  EXPECT_TRUE(f.options->needs_password());
  Flags file = parse({"--username=admin", "--password-file=/x"});
  ASSERT_TRUE(file.options) << file.errors;
  EXPECT_EQ(file.options->password_file, "/x");
  EXPECT_FALSE(parse({}).options->needs_password());
  for (std::vector<const char*> wrong :
       std::vector<std::vector<const char*>>{{"--password", "x"},
                                             {"--password-file", "x"},
                                             {"--username", "a b"},
                                             {"--username", "a", "--password", "x", "--password-file", "y"}}) {
    Flags w = parse(wrong);
    EXPECT_FALSE(w.options);
    EXPECT_EQ(w.exit_code, 2);
    EXPECT_FALSE(w.errors.empty());
  }
}

TEST(Flags, TakeCommandsForUsers) {
  Flags f = parse({"user", "add", "ada", "--data-path", "/d", "--role", "read-only", "--password-file", "/p"});
  ASSERT_TRUE(f.options) << f.errors;
  EXPECT_EQ(f.options->command, Command::kUser);
  EXPECT_EQ(f.options->user_command, UserCommand::kAdd);
  EXPECT_EQ(f.options->user, "ada");
  EXPECT_EQ(f.options->role, wire::Role::kReadOnly);
  EXPECT_EQ(f.options->config.engine.data_path, "/d");
  EXPECT_TRUE(f.options->needs_password());
  f = parse({"user", "list"});
  ASSERT_TRUE(f.options) << f.errors;
  EXPECT_EQ(f.options->user_command, UserCommand::kList);
  EXPECT_FALSE(f.options->needs_password());
  for (std::vector<const char*> wrong :
       std::vector<std::vector<const char*>>{{"user"},
                                             {"user", "add"},
                                             {"user", "add", "a:b"},
                                             {"user", "add", "a", "--role", "king"},
                                             {"user", "remove", "a", "--data-path", ""},
                                             {"--port", "1", "user", "list"},
                                             {"user", "add", "a", "--password", "x"}})
    EXPECT_FALSE(parse(wrong).options) << wrong.back();
}

TEST(Flags, HelpAndVersionGoToStandardOutput) {
  Flags version = parse({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_TRUE(version.output.starts_with("holdfastd "));
  Flags help = parse({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.output.find("--sync-mode"), std::string::npos);
  EXPECT_EQ(help.output.find("--cache-mb"), std::string::npos) << "what is refused is not offered";
}

TEST(Flags, ThoseForTestsAreTakenAndCheckedAndOfNoUseOffline) {
  Flags f = parse({"--test-record-disk", "/r", "--test-segment-bytes", "8192", "--test-checkpoint-bytes", "65536"});
  ASSERT_TRUE(f.options) << f.errors;
  EXPECT_EQ(f.options->record_disk, "/r");
  EXPECT_EQ(f.options->config.engine.journal.segment_bytes, 8192u);
  EXPECT_EQ(f.options->config.engine.checkpoint_bytes, 65536u);
  EXPECT_EQ(parse({}).options->record_disk, std::nullopt);
  for (std::vector<const char*> bad : {std::vector<const char*>{"--test-record-disk", ""}, {"--test-segment-bytes", "4096"},
                                       {"--test-segment-bytes", "9000"}, {"--test-record-disk", "/r", "verify"}}) {
    Flags refused = parse(bad);
    EXPECT_FALSE(refused.options) << bad.front();
    EXPECT_EQ(refused.exit_code, kExitUsage);
  }
#ifndef HOLDFAST_MUTANTS
  EXPECT_FALSE(parse({"--test-mutant", "ack-before-sync"}).options) << "only the build that has them can turn them on";
#endif
}

}  // namespace
}  // namespace holdfast::server
