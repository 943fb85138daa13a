#include "tests/process/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace holdfast::test {
namespace {

int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

std::filesystem::path make_directory() {
  std::string path = std::filesystem::temp_directory_path() / "holdfast-test-XXXXXX";
  return mkdtemp(path.data());
}

}  // namespace

Scratch::Scratch() : directory_(make_directory()) {}
Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

ServerProcess::ServerProcess(std::string data_path, std::vector<std::string> flags) {
  std::vector<std::string> words = {HOLDFAST_BIN "/holdfastd", "--data-path", data_path, "--port", "0"};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) abort();
  pid_ = fork();
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(ends[1]);
  output_ = ends[0];
  // Its words go to the pipe; nothing but the first lines is ever read, and a pipe holds far more than a test makes it
  // say.
  for (char c; read(output_, &c, 1) == 1;) {
    said_ += c;
    if (c != '\n') continue;
    size_t at = said_.find("ready on ");
    if (at == said_.npos) continue;
    port_ = said_.substr(said_.rfind(':') + 1);
    port_.pop_back();
    return;
  }
  ADD_FAILURE() << "holdfastd did not start: " << said_;
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) end(SIGKILL);
  close(output_);
}

std::string ServerProcess::output() {
  for (char c; read(output_, &c, 1) == 1;) said_ += c;
  return said_;
}

int ServerProcess::end(int signal) {
  kill(pid_, signal);
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  return exit_code(status);
}

Ran run(const Scratch& scratch, const std::string& command, const std::string& input) {
  write_file(scratch.path("in"), input);
  std::string line = "PATH=" HOLDFAST_BIN ":$PATH; { " + command + "; } <'" + scratch.path("in") + "' >'" +
                     scratch.path("out") + "' 2>'" + scratch.path("err") + "'";
  int status = system(line.c_str());
  return {exit_code(status), read_file(scratch.path("out")), read_file(scratch.path("err"))};
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
}

}  // namespace holdfast::test
