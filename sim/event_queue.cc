#include "sim/event_queue.h"

#include <algorithm>

namespace holdfast::sim {
namespace {

constexpr size_t kWidth = 4;         // children per node: fewer cache lines than a binary heap
constexpr uint64_t kTies = 1 << 20;  // ties of ties fall back to the order of scheduling

}  // namespace

EventQueue::~EventQueue() {
  for (Entry& e : heap_) e.event->queue_ = nullptr;
}

void EventQueue::schedule(Event& event, Time when) {
  if (event.queue_) remove(event.position_);
  event.queue_ = this;
  heap_.push_back({std::max(when, now_), schedule_.decide(kTies), sequence_++, &event});
  sift_up(heap_.size() - 1);
}

void EventQueue::run_one() {
  HF_ASSERT(!heap_.empty(), "the caller asked first");
  Event* event = heap_.front().event;
  now_ = heap_.front().when;
  remove(0);
  event->happen();
}

void EventQueue::advance(Time to) {
  HF_ASSERT(now_ <= to && to <= next(), "time does not run backwards, nor over an event");
  now_ = to;
}

void EventQueue::remove(size_t position) {
  heap_[position].event->queue_ = nullptr;
  Entry last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  place(position, last);
  sift_up(position);
  sift_down(last.event->position_);
}

void EventQueue::sift_up(size_t position) {
  Entry entry = heap_[position];
  while (position > 0) {
    size_t parent = (position - 1) / kWidth;
    if (!(entry < heap_[parent])) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, entry);
}

void EventQueue::sift_down(size_t position) {
  Entry entry = heap_[position];
  for (;;) {
    size_t first = position * kWidth + 1;
    if (first >= heap_.size()) break;
    size_t last = std::min(first + kWidth, heap_.size());
    size_t least = first;
    for (size_t c = first + 1; c < last; ++c)
      if (heap_[c] < heap_[least]) least = c;
    if (!(heap_[least] < entry)) break;
    place(position, heap_[least]);
    position = least;
  }
  place(position, entry);
}

}  // namespace holdfast::sim
