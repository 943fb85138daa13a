// Script: the hand that a scenario writes with: it asks the engine and keeps the course.
#pragma once

#include "chaos/suite/enumerate/course.h"
#include "io/sync.h"

namespace holdfast::chaos {

class Script {
 public:
  using Documents = std::vector<std::pair<std::string, uint64_t>>;

  /// Both outlive the tasks of the script.
  Script(core::Engine& engine, Course& course) : engine_(engine), course_(course) {}

  io::Task<void> put(std::string collection, std::string key, uint64_t value);
  /// One entry.
  io::Task<void> put_all(std::string collection, Documents documents);
  /// Asked at once, each an entry of its own, gathered into groups by the journal.
  io::Task<void> put_together(std::string collection, Documents documents);
  io::Task<void> update(std::string collection, std::string key, uint64_t value);
  io::Task<void> remove(std::string collection, std::string key);
  /// Of all these documents, which must be there, with one request: one entry.
  io::Task<void> update_all(std::string collection, std::vector<std::string> keys, uint64_t value);
  io::Task<void> remove_all(std::string collection, std::vector<std::string> keys);
  /// Inserts a document that is not there.
  io::Task<void> upsert(std::string collection, std::string key, uint64_t value);
  struct Change {
    std::string collection;
    std::string key;
    uint64_t value = 0;  ///< 0: it is deleted; else inserted or changed
  };
  /// A transaction over collections that are there: one entry.
  io::Task<void> commit(std::vector<Change> changes);
  /// One that leaves nothing.
  io::Task<void> roll_back(std::vector<Change> changes);
  io::Task<void> create(std::string collection);
  io::Task<void> drop(std::string collection);
  /// An index of that path, which is there no more or not yet.
  io::Task<void> declare(std::string collection, std::string path);
  io::Task<void> drop_index(std::string collection, std::string path);
  io::Task<void> flush();
  /// Then asks what is durable.
  io::Task<void> pause(Duration d);

  /// What no server may answer to these questions. Only kDiskFull is expected: then the step did not happen.
  const std::vector<std::string>& surprises() const { return surprises_; }

 private:
  template <class T>
  bool answered(size_t step, core::Reply<T>& reply, bool changed);
  io::Task<void> put_one_of(std::string collection, std::string key, uint64_t value);
  /// The id of a transaction that has made these changes; empty: that was refused.
  io::Task<Buffer> transaction(const std::vector<Change>& changes, std::vector<Step>& steps);
  io::Task<Step> change_within(Bytes id, const Change& change);
  Step step(Step::Kind kind, const std::string& collection, Documents documents = {}) const;

  core::Engine& engine_;
  Course& course_;
  size_t under_way_ = 0;
  io::WaitList ended_;
  std::vector<std::string> surprises_;
};

}  // namespace holdfast::chaos
