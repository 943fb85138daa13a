// Secrets from people and their files: passwords for programs, kept out of sight as far as a process can.
#pragma once

#include <optional>
#include <string>

#include "io/base/bytes.h"
#include "io/base/error.h"

namespace holdfast::real {

/// The first line of a file. Errors: kIo; kBadRequest (empty, or longer than any password).
Result<Buffer> read_secret_file(const std::string& path);
/// The value of that variable, which is then wiped where /proc shows it, and unset. For programs at their start.
std::optional<Buffer> take_secret_variable(const char* name);
/// Asks on the terminal, without showing what is typed. Errors: kBadRequest when there is none.
Result<Buffer> ask_secret(const std::string& prompt);
/// Overwrites an argument of main(), which everybody on the machine can read.
void wipe_argument(char* argument);
/// From here on the process leaves no core file, and other processes of its user cannot look into it.
void hide_memory();

}  // namespace holdfast::real
