// Numbers: the session of a client, and the numbers of its requests that are executed once (server/PROTOCOL.md, Sessions). Pure.
#pragma once

#include <cstdint>
#include <set>

namespace holdfast::client {

class Numbers {
 public:
  struct Number {
    uint64_t session = 0;
    uint64_t number = 0;
    bool any() const { return session != 0; }
  };

  bool open() const { return session_ != 0; }
  uint64_t session() const { return session_; }
  void begin(uint64_t session) {
    session_ = session;
    last_ = 0;
    waiting_.clear();
  }
  /// Requires open().
  Number take() {
    waiting_.insert(waiting_.end(), ++last_);
    return {session_, last_};
  }
  /// There is an answer, or none is wanted any more.
  void end(Number n) {
    if (n.session == session_) waiting_.erase(n.number);
  }
  /// Nothing more is asked in that session: a request in it has no answer, and may be asked after later; or the server does not know it.
  void retire(uint64_t session) {
    if (session == session_) session_ = 0;
  }
  /// All through this number have their answers.
  uint64_t answered(uint64_t session) const {
    if (session != session_) return 0;
    return waiting_.empty() ? last_ : *waiting_.begin() - 1;
  }

 private:
  uint64_t session_ = 0;
  uint64_t last_ = 0;
  std::set<uint64_t> waiting_;
};

}  // namespace holdfast::client
