// Decisions: what some draws of a run are told to come out as, and on request the record of the draws that did harm.
//
// A run is replayed from its seed; a smaller run of the same kind is the seed and a list of decisions that differ from
// what the seed says. A draw is named by its stream and its index there, and as both are counted by themselves in each
// stream, a decision that is laid down for one draw leaves every other draw as it was.
//
// Two kinds of decision are laid down. Strikes: in a stream that asks "does the fault strike now?", exactly the listed
// draws say yes, whatever the rate. Values: what one draw comes out as; values beyond the draw's range become its
// highest.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::sim {

/// Which draw of a stream: the occurrence that it is about, and its place among the draws about that one.
struct DrawIndex {
  uint32_t occurrence = 0;
  uint32_t detail = 0;
  auto operator<=>(const DrawIndex&) const = default;
};

/// What is laid down for one stream.
struct Orders {
  std::optional<std::set<DrawIndex>> strikes;
  std::map<DrawIndex, uint64_t> values;
  bool operator==(const Orders&) const = default;
};

/// A draw that did harm: a fault struck, or a choice among several harms did not come out as 0.
struct Harm {
  enum class Kind : uint8_t { kStrike, kValue };
  std::string stream;
  DrawIndex index;
  Kind kind = Kind::kStrike;
  uint64_t value = 1;
};

struct Decisions {
  std::map<std::string, Orders, std::less<>> orders;
  std::vector<Harm>* harms = nullptr;  ///< where harm is recorded, in the order of the draws; it outlives the run

  /// Null when nothing is laid down.
  const Orders* find(std::string_view stream) const {
    auto it = orders.find(stream);
    return it == orders.end() ? nullptr : &it->second;
  }
};

}  // namespace holdfast::sim
