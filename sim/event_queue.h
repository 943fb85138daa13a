// EventQueue: what will happen, ordered by virtual time; events of the same instant are ordered by a draw from the
// schedule stream.
//
// An event is an object that lives in whatever it happens to: a coroutine frame that waits, an executor, a network
// pipe. It is scheduled at most once at a time, nothing is allocated for it, and destroying it takes it out of the
// queue: the completions of a dead incarnation can therefore never fire.
#pragma once

#include <vector>

#include "io/base/assert.h"
#include "sim/stream.h"

namespace holdfast::sim {

class EventQueue;

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  virtual ~Event() { cancel(); }

  bool scheduled() const { return queue_ != nullptr; }
  void cancel();

 protected:
  virtual void happen() = 0;

 private:
  friend class EventQueue;
  EventQueue* queue_ = nullptr;
  size_t position_ = 0;
};

class EventQueue {
 public:
  explicit EventQueue(Stream schedule) : schedule_(std::move(schedule)) {}
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;
  ~EventQueue();

  /// Ensures: `event` happens at `when`, or now when that has passed; an earlier schedule of it is forgotten.
  void schedule(Event& event, Time when);
  Time now() const { return now_; }
  bool empty() const { return heap_.empty(); }
  /// Time::never() when empty.
  Time next() const { return heap_.empty() ? Time::never() : heap_.front().when; }
  /// Moves time to the first event and lets it happen. Requires: not empty.
  void run_one();
  /// Moves time without an event. Requires: not backwards, and past no event.
  void advance(Time to);

 private:
  friend class Event;
  struct Entry {
    Time when;
    uint64_t tie;
    uint64_t sequence;
    Event* event;
    bool operator<(const Entry& o) const {
      if (when != o.when) return when < o.when;
      return tie != o.tie ? tie < o.tie : sequence < o.sequence;
    }
  };
  void remove(size_t position);
  void sift_up(size_t position);
  void sift_down(size_t position);
  void place(size_t position, const Entry& entry) {
    heap_[position] = entry;
    entry.event->position_ = position;
  }

  Stream schedule_;
  Time now_;
  uint64_t sequence_ = 0;
  std::vector<Entry> heap_;
};

inline void Event::cancel() {
  if (queue_) queue_->remove(position_);
}

}  // namespace holdfast::sim
