// Questions: queries about the documents of workloads, each with what it selects, told independently.
#pragma once

#include <functional>

#include "chaos/oracle/document_history.h"
#include "io/base/bytes.h"
#include "io/base/random.h"

namespace holdfast::chaos {

struct Question {
  Buffer query;
  std::string text;  ///< for people
  std::function<bool(std::string_view key, const DocumentState& state)> selects;
};

/// About documents as make_document() makes them, with keys of `keys` or any others.
Question ask(Rng& random, const std::vector<std::string>& keys);

}  // namespace holdfast::chaos
