// One application of an update to one document; see update.h. For the sources of updates alone.
//
// Place in the system: Update::apply() makes one, looks up what $rename moves, and applies the tree's root to the
// document. The walk goes down the tree and the document together. For the value at each node it asks present() or
// missing(), which go further down, or do what an operator does: an operator is added there.
//
// Sources: update_apply.cc walks through maps and arrays, and checks where paths may go; update_elements.cc applies
// `$[]` and `$[id]` to the elements of an array; update_values.cc has what operators make of one value.
//
// Contract. Every part appends its piece of the new document to `out`, in order; on an error what was appended means
// nothing. Errors: kBadRequest (the document's values do not allow it; naming operator and path), kTooLarge, kCorrupt
// (not well-formed). Borrows all that it is given, and views of the document. For one document, then gone.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/update.h"
#include "io/base/msgpack.h"

namespace holdfast::core {

class UpdateApplier {
 public:
  UpdateApplier(const DocumentLimits& limits, std::span<const ArrayFilter> filters, const UpdateContext& context,
                Buffer& out)
      : limits_(limits), filters_(filters), context_(context), out_(out) {}

  /// Looks up what is to be moved. Comes first.
  Result<> look_up(std::span<const Update::Rename> renames, Bytes document);

  /// Appends the map `old` (its whole bytes) with the children of `node` applied.
  Result<> map(const UpdateNode& node, Bytes old);

  /// Whether the new document differs from the old one.
  bool changed() const { return changed_; }

 private:
  using Action = UpdateNode::Action;
  using Kind = msgpack::Kind;

  // ---- The walk: update_apply.cc ----

  // The array `old` with the children of `node` applied: those that name a position, in the order of positions.
  Result<> array(const UpdateNode& node, Bytes old, uint32_t count);
  // The value `old`, which paths go through.
  Result<> descend(const UpdateNode& node, Bytes old);
  // How many elements an array of `count` will have.
  Result<uint32_t> count_after(const UpdateNode& node, uint32_t count) const;

  // Where there is nothing: the field that `child` names, if it is made; a document of the fields that `node` makes;
  // and, behind the end of an array of `count`, the elements that `children` make.
  Result<> missing_field(const UpdateNode& child);
  Result<> missing_map(const UpdateNode& node);
  Result<> missing_elements(std::span<const UpdateNode> children, uint32_t count);

  // Whether the field is made when it is missing.
  bool creates(const UpdateNode& node) const;
  bool removes(const UpdateNode& node) const;
  // Whether there must be an array at or below `node`.
  bool demands_array(const UpdateNode& node) const;
  // The first action at or below `node` that must get there.
  const UpdateNode* must_arrive(const UpdateNode& node) const;
  // Whether `node`, at whose place there is nothing, may be applied.
  Result<> check_may_be_missing(const UpdateNode& node) const;
  // `padding` is at most what lies between the array's end and the new element.
  Result<> check_padding(const UpdateNode& node, uint32_t padding) const;
  // Whether the field that `child` names may be looked for in a value of `kind`, where there are no fields of names.
  Result<> enter(const UpdateNode& child, Kind kind) const;

  // ---- Elements: update_elements.cc ----

  // What several children together do to one element. The last of them is kept, since the next element is often alike.
  struct Joined {
    std::vector<const UpdateNode*> parts;
    UpdateNode node;
  };
  // The array `old` with the children of `node`, which are `$[]` and `$[id]`, applied to its elements.
  Result<> elements(const UpdateNode& node, Bytes old, uint32_t count);
  // The children that address the element.
  Result<> find_hits(const UpdateNode& node, Bytes element, std::vector<const UpdateNode*>& hits);
  Result<> join(const UpdateNode& node, const std::vector<const UpdateNode*>& hits, Joined& joined);
  Result<> spend(const UpdateNode& node, uint64_t steps);

  // ---- Values: update_values.cc ----

  // The value `old` is there: what becomes of it. An element is unset to null, since others must keep their positions.
  Result<> present(const UpdateNode& node, Bytes old);
  // The value is not there: the one to be made. Requires creates().
  Result<> missing(const UpdateNode& node);

  Result<> replace(Bytes old, Bytes value);
  Result<> keep_id(const UpdateNode& node, Bytes old);
  Result<> compute(const UpdateNode& node, Bytes old);
  Result<> change_bits(const UpdateNode& node, Bytes old);
  // Takes the old bytes back if the number appended at `start` is equal, and of the same kind.
  void keep_equal(Bytes old, const msgpack::Value& before, size_t start);
  Result<> change_array(const UpdateNode& node, Bytes old);
  Buffer date() const;

  static std::unexpected<Error> wrong_type(const UpdateNode& node, Kind there, std::string_view wanted);

  // ---- Messages: update_apply.cc ----

  static std::string place(Action action, Bytes path);
  static std::unexpected<Error> corrupt();
  static std::unexpected<Error> no_array(const UpdateNode& node, std::string_view but);

  const DocumentLimits& limits_;
  std::span<const ArrayFilter> filters_;
  const UpdateContext& context_;
  Buffer& out_;
  uint64_t steps_ = 0;  // of Update::kMaxSteps
  bool changed_ = false;
  std::vector<Bytes> moved_;  // per $rename what it moves; empty: nothing
};

}  // namespace holdfast::core
