// Positional parts of an update's paths: `$`, `$[]` and `$[identifier]`, and the array filters that identifiers stand
// for. What each means is in OPERATORS.md.
//
// Place in the system: update.cc asks what a part is and for the filters; update_apply.cc puts a number in the place of
// `$` before its walk, and update_elements.cc joins what several parts do to one element. Pure.
#pragma once

#include "core/update.h"

namespace holdfast::core {

/// What a part of a path is. Errors: kBadRequest for a name that begins with `$[` and is none of them.
Result<UpdateNode::Part> part_kind(Bytes name);
/// Of `$[identifier]`.
inline Bytes identifier_of(Bytes part) { return part.substr(2, part.size() - 3); }

/// `array_filters`: nothing, null, or an array of queries, each on one identifier. Errors: kBadRequest, kUnsupported,
/// kTooLarge, naming the filter by its number from 0.
Result<std::vector<ArrayFilter>> compile_array_filters(Bytes array_filters);

/// A node that does to a value what all of `nodes`, one or more, do to it. They are children of one parent that address
/// the same value. Errors: kBadRequest when two of them touch one field, or one something inside the other.
/// Time: n log n in the nodes below.
Result<UpdateNode> merged(std::span<const UpdateNode* const> nodes);

/// The tree with `position` in the place of every `$`. Borrows the position's name. Errors: as merged().
Result<UpdateNode> with_position(const UpdateNode& root, const Path::Component& position);

/// Any action at or below `node`, for messages.
const UpdateNode& first_leaf(const UpdateNode& node);

}  // namespace holdfast::core
