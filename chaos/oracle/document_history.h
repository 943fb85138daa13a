// DocumentHistory: decides whether the answers about one document can come from a linearizable store.
//
// Place in the system: pure; the model of a document, for ObjectHistory.
#pragma once

#include "chaos/oracle/object_history.h"

namespace holdfast::chaos {

/// What a document of the workloads holds: which write gave it its value, and how often it was incremented since it was
/// inserted.
struct DocumentState {
  bool exists = false;
  uint64_t value = 0;
  int64_t counter = 0;
  auto operator<=>(const DocumentState&) const = default;
};
std::string text(const DocumentState& state);

struct Operation {
  enum class Kind : uint8_t {
    kInsert,  ///< of {value, counter 0}; refused when the document exists, but for an identical one when `repeatable`
    kUpdate,  ///< sets the value and increments the counter
    kDelete,
    kRead,
  };
  Kind kind = Kind::kRead;
  uint64_t value = 0;
  bool repeatable = false;
};

/// What was answered. Insert: done = inserted (or repeated), else refused as a duplicate. Update, delete: done = there
/// was one. Read: `state`.
struct Answer {
  bool done = false;
  DocumentState state;
  auto operator<=>(const Answer&) const = default;
};

struct DocumentModel {
  using State = DocumentState;
  using Operation = chaos::Operation;
  using Answer = chaos::Answer;
  static Answer apply(State& state, const Operation& operation);
  static bool is_read(const Operation& operation) { return operation.kind == Operation::Kind::kRead; }
  static State assumed(const Operation& operation);
};

using DocumentHistory = ObjectHistory<DocumentModel>;

}  // namespace holdfast::chaos
