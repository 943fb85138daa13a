// UTF-8 (RFC 3629): whether bytes are text.
#pragma once

#include "io/base/bytes.h"

namespace holdfast {

/// Whether `text` is well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF. Empty text is.
bool is_utf8(Bytes text);

}  // namespace holdfast
