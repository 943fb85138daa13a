// Documents: the array of documents that an answer brought, and the shape of generated ids. Pure.
#pragma once

#include <string>

#include "io/base/bytes.h"
#include "io/base/msgpack.h"

namespace holdfast::client {

/// Owns the encoded array; hands out views, which live as long as it does and is not moved.
///
///     Bytes document;
///     for (auto it = documents.begin(); it.next(document);) ...
class Documents {
 public:
  class Iterator {
   public:
    bool next(Bytes& document) {
      document = in_.raw();
      return in_.ok();
    }

   private:
    friend class Documents;
    explicit Iterator(Bytes elements) : in_(elements) {}
    msgpack::Cursor in_;
  };

  Documents() = default;
  /// `array`: one MessagePack array.
  explicit Documents(Buffer array) : array_(std::move(array)) {
    msgpack::Cursor in(array_);
    msgpack::Value head;
    if (!in.next(head) || head.kind != msgpack::Kind::kArray) return;
    size_ = head.count;
    head_ = array_.size() - in.remaining();
  }

  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Iterator begin() const { return Iterator(Bytes(array_).substr(head_)); }
  Bytes array() const { return array_; }

 private:
  Buffer array_;
  uint32_t size_ = 0;
  size_t head_ = 0;
};

/// Whether `id` has the shape of generated ids: sixty ASCII letters.
bool has_generated_shape(std::string_view id);

/// `document` with `_id: id` put first. Requires: one map without `_id`.
Buffer with_id(Bytes document, std::string_view id);

}  // namespace holdfast::client
