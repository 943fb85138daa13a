// Dotted paths, and what they find in a document: the traversal that queries (and later sorts, indexes and projections)
// share.
//
// A path is split at its dots: "a.b.0" has the components "a", "b" and "0". Against a document it finds *candidates*,
// as MongoDB's matcher does (its manual, "Query an Array", "Query an Array of Embedded Documents"):
//   - in a map, a component finds the field of that name; when there is none, or the value is a scalar, the candidate
//     is "missing";
//   - in an array, the whole rest of the path is tried in every element that is a map; a component that is an array
//     position ("0", "17") also finds that element, and the path goes on in it;
//   - elements that are scalars, and arrays inside arrays unless addressed by position, contribute nothing, not even
//     "missing".
// So one path may find no candidate, one, or many.
//
// Pure, stateless, no allocation while visiting. A Path borrows the text it was parsed from. Time is linear in the
// bytes visited, but each array position in a path may double the visits (it is a position or a field's name): callers
// bound positions() for paths of strangers.
#pragma once

#include <span>
#include <vector>

#include "io/base/msgpack.h"

namespace holdfast::core {

class Path {
 public:
  /// As deep as documents nest: a longer path could find nothing.
  static constexpr size_t kMaxComponents = 100;
  /// Array positions in a path that is visited (queries, sorts): each may double the visits.
  static constexpr size_t kMaxPositions = 8;
  static constexpr uint32_t kNoPosition = UINT32_MAX;

  struct Component {
    Bytes name;
    uint32_t position = kNoPosition;  ///< as an array position: decimal digits without leading zeros; else kNoPosition

    bool operator==(const Component&) const = default;
    bool is_position() const { return position != kNoPosition; }
  };
  using Rest = std::span<const Component>;

  /// Splits `text`, which must outlive the path. Empty components are kept: they name fields whose name is empty.
  /// Errors: kTooLarge for more than kMaxComponents components.
  static Result<Path> parse(Bytes text);

  static Component component(Bytes name);

  /// Text of a stranger for a message: at most 200 bytes of it, whole characters.
  static std::string shown(Bytes text);

  Bytes text() const { return text_; }
  Rest components() const { return components_; }
  const Component& first() const { return components_.front(); }
  Rest after_first() const { return Rest(components_).subspan(1); }
  size_t positions() const;

 private:
  Bytes text_;
  std::vector<Component> components_;
};

/// The order in which updates visit and create fields: array positions by number, before all other names, which go by
/// their bytes.
std::strong_ordering visiting_order(const Path::Component& a, const Path::Component& b);

struct FoundValue {
  Bytes value;            ///< empty: the path leads nowhere
  bool in_array = false;  ///< whether an array lies on the way
};
/// What a path leads to by name in maps and by position in arrays, without looking into elements: at most one value.
/// Bytes that are no MessagePack lead nowhere.
FoundValue find_value(Path::Rest path, Bytes value);

enum class CandidateKind : uint8_t {
  kMissing,  ///< the path ends nowhere; the cursor means nothing
  kValue,    ///< a value: if it is an array, its elements are candidates too
  kElement,  ///< an element addressed by its position: if it is an array, its elements are no candidates
};

template <class Visit>
bool visit_candidates(msgpack::Cursor at, Path::Rest rest, Visit&& visit);

/// The same for the candidates that a non-empty `rest`, tried in an array, finds in its element `i`, before which
/// `element` stands; `kind` is its head.
template <class Visit>
bool visit_element(msgpack::Cursor element, const msgpack::Value& kind, uint32_t i, Path::Rest rest, Visit&& visit) {
  if (kind.kind == msgpack::Kind::kMap && visit_candidates(element, rest, visit)) return true;
  if (rest.front().position != i) return false;
  if (rest.size() == 1) return visit(CandidateKind::kElement, element);
  return kind.is_container() && visit_candidates(element, rest.subspan(1), visit);
}

/// Calls `visit(kind, cursor)` for every candidate that `rest` finds in the value before which `at` stands, until a
/// call returns true. The cursor stands before the candidate. Returns whether a call did. Bytes that are no MessagePack
/// end the visit.
template <class Visit>
bool visit_candidates(msgpack::Cursor at, Path::Rest rest, Visit&& visit) {
  using msgpack::Kind;
  if (rest.empty()) return visit(CandidateKind::kValue, at);
  msgpack::Value head;
  if (!at.next(head)) return false;
  const Path::Component& next = rest.front();

  if (head.kind == Kind::kMap) {
    for (uint32_t i = 0; i < head.count; ++i) {
      Bytes key;
      if (!at.string(key)) return false;
      if (key == next.name) return visit_candidates(at, rest.subspan(1), visit);
      if (!at.skip()) return false;
    }
    return visit(CandidateKind::kMissing, at);
  }

  if (head.kind != Kind::kArray) return visit(CandidateKind::kMissing, at);
  for (uint32_t i = 0; i < head.count; ++i) {
    msgpack::Cursor element = at;
    msgpack::Value kind;
    if (!at.next(kind)) return false;
    if (visit_element(element, kind, i, rest, visit)) return true;
    at = element;
    if (!at.skip()) return false;
  }
  return false;
}

}  // namespace holdfast::core
