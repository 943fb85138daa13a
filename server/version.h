// What this server calls itself.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::server {

inline constexpr std::string_view kVersion = HOLDFAST_VERSION;
/// The highest version of PROTOCOL.md that it speaks.
inline constexpr uint32_t kProtocol = 1;

}  // namespace holdfast::server
