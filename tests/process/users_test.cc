// Users and encrypted connections as a person meets them: what is said, what is refused, and that no secret shows
// anywhere.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "io/wire/psk_handshake.h"
#include "tests/process/child.h"
#include "tests/support/hex.h"

namespace holdfast::test {
namespace {

constexpr const char* kPassword = "correct horse battery staple";
constexpr const char* kOther = "another password altogether";

class Users : public testing::Test {
 protected:
  void SetUp() override {
    write_file(scratch_.path("pw"), std::string(kPassword) + "\n");
    write_file(scratch_.path("other"), kOther);
    unsetenv("HOLDFAST_PASSWORD");
    unsetenv("HOLDFAST_USER");
  }
  std::string data() const { return scratch_.path("data"); }
  std::string file(const char* name) const { return "'" + scratch_.path(name) + "'"; }

  Ran offline(const std::string& arguments) {
    return run(scratch_, "holdfastd user " + arguments + " --data-path '" + data() + "'");
  }
  void add_ada() {
    Ran r = offline("add ada --password-file " + file("pw"));
    ASSERT_EQ(r.exit, 0) << r.out << r.err;
  }
  void serve(std::vector<std::string> flags = {}) { server_.emplace(data(), std::move(flags)); }
  /// As nobody.
  Ran plain(const std::string& arguments) {
    return run(scratch_, "holdfast --connect localhost:" + server_->port() + " " + arguments);
  }
  Ran as(const std::string& user, const std::string& arguments, const char* password = "pw") {
    return plain("--known-servers " + file("known") + " --user " + user + " --password-file " + file(password) + " " +
                 arguments);
  }
  /// All the bytes under the data directory.
  std::string everything_stored() {
    std::string out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data()))
      if (entry.is_regular_file()) out += read_file(entry.path());
    return out;
  }

  Scratch scratch_;
  std::optional<ServerProcess> server_;
};

TEST_F(Users, AnAddressForOthersIsRefusedUntilThereIsSomebodyToLogIn) {
  Ran refused = run(scratch_, "timeout 60 holdfastd --port 0.0.0.0:0 --data-path '" + data() + "'");
  EXPECT_EQ(refused.exit, 2) << refused.out << refused.err;
  for (const char* word : {"0.0.0.0:0", "holdfastd user add NAME --data-path", "--username", "localhost", "--insecure"})
    EXPECT_TRUE((refused.out + refused.err).contains(word)) << word << " is missing in: " << refused.out << refused.err;
  EXPECT_FALSE(std::filesystem::exists(data())) << "nothing was made";
  add_ada();
  // It starts now; and ends by itself, since its input to say so is a signal.
  Ran started =
      run(scratch_, "timeout --preserve-status -s TERM 3 holdfastd --port 0.0.0.0:0 --data-path '" + data() + "'");
  EXPECT_TRUE(started.out.contains("ready on 0.0.0.0:")) << started.out << started.err;
}

TEST_F(Users, LogInAndNobodyElseDoes) {
  add_ada();
  serve();
  Ran first = as("ada", "insert c '{\"_id\":1}'");
  EXPECT_EQ(first.exit, 0) << first.err;
  EXPECT_EQ(first.out, "1\n");
  EXPECT_TRUE(first.err.contains("is met for the first time")) << first.err;
  Ran again = as("ada", "find c '{}'");
  EXPECT_EQ(again.out, "{\"_id\":1}\n");
  EXPECT_EQ(again.err, "");
  EXPECT_EQ(plain("ping").exit, 0);
  Ran nobody = plain("find c '{}'");
  EXPECT_EQ(nobody.exit, 1);
  EXPECT_TRUE(nobody.err.starts_with("holdfast: auth: this server has users")) << nobody.err;
  for (const std::string& who : {"ada", "eve"}) {
    Ran wrong = as(who, "find c '{}'", who == "ada" ? "other" : "pw");
    EXPECT_EQ(wrong.exit, 1);
    EXPECT_EQ(wrong.out, "");
    EXPECT_EQ(wrong.err, "holdfast: auth: wrong user name or password\n");
  }
}

TEST_F(Users, AreManagedWhileTheServerRuns) {
  add_ada();
  serve();
  EXPECT_EQ(as("ada", "insert c '{\"_id\":1}'").exit, 0);
  EXPECT_EQ(as("ada", "user add bob --role read-only --new-password-file " + file("other")).out, "bob was added\n");
  EXPECT_EQ(as("ada", "user list").out, "ada read-write\nbob read-only\n");
  EXPECT_EQ(as("bob", "find c '{}'", "other").out, "{\"_id\":1}\n");
  EXPECT_TRUE(as("bob", "insert c '{\"_id\":2}'", "other").err.starts_with("holdfast: read_only: bob may only read"));
  EXPECT_TRUE(as("bob", "user remove ada", "other").err.starts_with("holdfast: read_only: "));
  EXPECT_TRUE(
      as("ada", "user add bob --new-password-file " + file("other")).err.starts_with("holdfast: duplicate_key: "));
  EXPECT_TRUE(
      as("ada", "user remove ada").err.starts_with("holdfast: bad_request: ada is the last user of role read-write"));
  EXPECT_EQ(as("ada", "user passwd bob --new-password-file " + file("pw")).out, "bob was given another password\n");
  EXPECT_EQ(as("bob", "count c", "other").exit, 1);
  EXPECT_EQ(as("bob", "count c").out, "1\n");
  Ran offline_now = offline("remove bob");
  EXPECT_EQ(offline_now.exit, 3);
  EXPECT_TRUE((offline_now.out + offline_now.err).contains("use holdfast user")) << offline_now.out << offline_now.err;
  EXPECT_EQ(as("ada", "user remove bob").out, "bob was removed\n");
  EXPECT_EQ(as("bob", "count c").exit, 1);
  // All of it is still so after a restart.
  server_->end(SIGKILL);
  serve();
  EXPECT_EQ(run(scratch_, "rm -f " + file("known")).exit, 0);
  EXPECT_EQ(as("ada", "user list").out, "ada read-write\n");
}

TEST_F(Users, TheFirstOneCanBeMadeOnARunningServerAndLocksIt) {
  serve();
  EXPECT_EQ(plain("insert c '{\"_id\":1}'").exit, 0);
  EXPECT_TRUE(as("ada", "ping").err.contains("this server has no users")) << "who wants to log in is told what to do";
  EXPECT_EQ(plain("user add ada --new-password-file " + file("pw")).out, "ada was added\n");
  EXPECT_EQ(plain("count c").exit, 1);
  EXPECT_EQ(as("ada", "count c").out, "1\n");
}

TEST_F(Users, OneOfThemMayAlwaysWrite) {
  auto refused = [](const Ran& r) { return r.exit != 0 && (r.out + r.err).contains("role read-write"); };
  Ran first = offline("add solo --role read-only --password-file " + file("pw"));
  EXPECT_TRUE(refused(first)) << first.out << first.err;
  serve();
  EXPECT_EQ(plain("insert c '{\"_id\":1}'").exit, 0);
  Ran online = plain("user add solo --role read-only --new-password-file " + file("pw"));
  EXPECT_TRUE(refused(online)) << online.out << online.err;
  EXPECT_EQ(plain("count c").out, "1\n") << "the server is as open as before";
  server_->end(SIGTERM);
  add_ada();
  EXPECT_EQ(offline("add solo --role read-only --password-file " + file("pw")).exit, 0);
  Ran last = offline("remove ada");
  EXPECT_TRUE(refused(last)) << last.out << last.err;
  EXPECT_TRUE((last.out + last.err).contains("--username")) << last.out << last.err;
  EXPECT_EQ(offline("remove solo").exit, 0);
}

TEST_F(Users, AChangedKeyOfTheServerIsRefused) {
  add_ada();
  serve();
  std::string listed = offline("list").out;
  EXPECT_TRUE(listed.starts_with("server key ")) << listed;
  std::string key = listed.substr(11, 64);
  EXPECT_EQ(plain("--user ada --password-file " + file("pw") + " --server-key " + key + " count c").exit, 0);
  key[0] = key[0] == '0' ? '1' : '0';
  Ran pinned = plain("--user ada --password-file " + file("pw") + " --server-key " + key + " count c");
  EXPECT_EQ(pinned.exit, 1);
  EXPECT_TRUE(pinned.err.contains("shows another key")) << pinned.err;
  write_file(scratch_.path("known"), "# mine\nlocalhost:" + server_->port() + " " + key + "\n");
  Ran known = as("ada", "count c");
  EXPECT_EQ(known.exit, 1);
  EXPECT_TRUE(known.err.contains("line 2 of ")) << known.err;
  EXPECT_TRUE(known.err.contains("remove that line")) << known.err;
}

TEST_F(Users, ADamagedFileOfThemRefusesTheStart) {
  add_ada();
  std::string path = data() + "/USERS.1";
  struct stat s{};
  ASSERT_EQ(stat(path.c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777u, 0600u);
  std::string bytes = read_file(path);
  bytes[bytes.size() / 2] ^= 1;
  write_file(path, bytes);
  Ran refused = run(scratch_, "timeout 60 holdfastd --port 0 --data-path '" + data() + "'");
  EXPECT_EQ(refused.exit, 3);
  EXPECT_TRUE((refused.out + refused.err).contains("USERS.1, which says who may log in, cannot be used"))
      << refused.out << refused.err;
  EXPECT_EQ(offline("list").exit, 3);
  EXPECT_EQ(offline("add eve --password-file " + file("pw")).exit, 3) << "nothing is built on it";
}

// Arguments, environment, logs, files: whoever may read them learns no password, and nothing that is as good as one.
TEST_F(Users, NoSecretShowsAnywhere) {
  add_ada();
  std::string secret = "hunter2-in-an-argument";
  setenv("HOLDFAST_PASSWORD", kOther, 1);
  serve({"--username", "admin", "--password", secret, "--debug"});
  unsetenv("HOLDFAST_PASSWORD");
  std::string proc = "/proc/" + std::to_string(server_->pid());
  std::string cmdline = read_file(proc + "/cmdline");
  EXPECT_TRUE(cmdline.contains("--username"));
  EXPECT_FALSE(cmdline.contains(secret));
  EXPECT_FALSE(read_file(proc + "/environ").contains(kOther));
  EXPECT_TRUE(read_file(proc + "/limits").contains("Max core file size        0 ")) << "no core files";
  write_file(scratch_.path("admin"), secret);
  EXPECT_EQ(as("admin", "insert c '{\"_id\":1}'", "admin").exit, 0);
  EXPECT_EQ(as("ada", "user add bob --new-password-file " + file("other")).exit, 0);
  EXPECT_EQ(as("bob", "count c", "other").out, "1\n");
  EXPECT_EQ(as("admin", "count c", "other").exit, 1);
  EXPECT_EQ(as("ada", "count c", "other").exit, 1);
  server_->end(SIGTERM);
  std::string log = server_->output();
  std::string stored = everything_stored();
  wire::Key psk = wire::psk_of("admin", secret);
  EXPECT_TRUE(log.contains("failed to log in")) << log;
  for (const std::string& text : {log, stored, read_file(scratch_.path("known"))}) {
    for (const std::string& password : {secret, std::string(kPassword), std::string(kOther)})
      EXPECT_FALSE(text.contains(password));
    EXPECT_FALSE(text.contains(Bytes(psk)));
    EXPECT_FALSE(text.contains(to_hex(psk)));
  }
}

TEST_F(Users, OfTheOriginalsHandshakeNeedsAPassword) {
  Ran r = run(scratch_, "timeout 60 holdfastd --port 0 --username admin --data-path '" + data() + "'");
  EXPECT_EQ(r.exit, 2);
  EXPECT_TRUE(r.err.contains("--password-file")) << r.err;
  EXPECT_FALSE(std::filesystem::exists(data()));
  add_ada();
  r = run(scratch_, "timeout 60 holdfastd --port 0 --username ada --password x --data-path '" + data() + "'");
  EXPECT_NE(r.exit, 0);
  EXPECT_TRUE((r.out + r.err).contains("there is a stored user of that name")) << r.out << r.err;
}

}  // namespace
}  // namespace holdfast::test
