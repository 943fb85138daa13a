// Where the command's passwords come from, and which servers it believes.
#pragma once

#include "client/cli/options.h"

namespace holdfast::cli {

/// Fills in `line.client.login` when there is a --user, and `line.new_password` where a command sets one. Asks on the
/// terminal for what neither a file nor the environment gives.
Result<> fill_in_login(CommandLine& line);

}  // namespace holdfast::cli
