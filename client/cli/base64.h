// Base64 (RFC 4648, section 4), with padding. Pure.
#pragma once

#include <optional>
#include <string>

#include "io/base/bytes.h"

namespace holdfast::cli {

std::string to_base64(Bytes data);
/// Nothing when `text` is not base64. Missing padding is taken, bits that would be lost are not.
std::optional<Buffer> from_base64(std::string_view text);

}  // namespace holdfast::cli
