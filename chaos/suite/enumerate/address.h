// Address: the name of one image: crash after crash, where each came, what became of the operations under way, and what
// the disk kept.
//
//     57:before:01:12           the 57th operation of the scenario's disk, 12th image
//     57:before:01:0+31:after::3   its image 0 (process death), and then a crash in the recovery from that
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/node.h"

namespace holdfast::chaos {

struct CrashPoint {
  uint64_t operation = 0;  ///< of the disk, from 1; one more than there are: after the last
  sim::Moment moment = sim::Moment::kBefore;
  std::string settlement;  ///< digits (Settlement)
  uint64_t image = 0;      ///< 0: process death; others: power loss, in the order of LossPlans
  bool operator==(const CrashPoint&) const = default;
};
using Address = std::vector<CrashPoint>;

std::string to_text(const Address& address);
/// Nothing for what is no address.
std::optional<Address> parse_address(std::string_view text);

}  // namespace holdfast::chaos
