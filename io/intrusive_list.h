// A doubly linked list whose nodes live inside what they link, and which unlink themselves when destroyed. The list,
// too, may die first: its nodes are then simply unlinked. This is what lets coroutine frames be destroyed in any order.
#pragma once

#include <cstddef>

namespace holdfast::io {

class IntrusiveList;

class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool linked() const { return list_ != nullptr; }
  void unlink();

 private:
  friend class IntrusiveList;
  IntrusiveList* list_ = nullptr;
  ListNode* previous_ = nullptr;
  ListNode* next_ = nullptr;
};

class IntrusiveList {
 public:
  IntrusiveList() = default;
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (first_) first_->unlink();
  }

  bool empty() const { return first_ == nullptr; }
  size_t size() const { return size_; }
  ListNode* front() const { return first_; }

  void push_back(ListNode& n) {
    n.unlink();
    n.list_ = this;
    n.previous_ = last_;
    (last_ ? last_->next_ : first_) = &n;
    last_ = &n;
    ++size_;
  }

  ListNode* pop_front() {
    ListNode* n = first_;
    if (n) n->unlink();
    return n;
  }

  ListNode* pop_back() {
    ListNode* n = last_;
    if (n) n->unlink();
    return n;
  }

 private:
  friend class ListNode;
  ListNode* first_ = nullptr;
  ListNode* last_ = nullptr;
  size_t size_ = 0;
};

inline void ListNode::unlink() {
  if (!list_) return;
  (previous_ ? previous_->next_ : list_->first_) = next_;
  (next_ ? next_->previous_ : list_->last_) = previous_;
  --list_->size_;
  list_ = nullptr;
  previous_ = next_ = nullptr;
}

}  // namespace holdfast::io
