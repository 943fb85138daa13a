// Known servers: by which key each server was known when it was first met, as ssh does it. One line for each in a file
// (~/.holdfast/known_servers unless told otherwise): `HOST:PORT KEY`.
#pragma once

#include <string>

#include "client/client.h"

namespace holdfast::cli {

/// ~/.holdfast/known_servers; empty when there is no HOME.
std::string usual_known_servers();

class KnownServers {
 public:
  explicit KnownServers(std::string path) : path_(std::move(path)) {}

  /// Whether `server` may have that key: it is recorded with it, or not yet recorded; then it is from now on, and a
  /// line on standard error says so. Errors: kAuth (another key is recorded), kIo.
  Result<> check(const std::string& server, const wire::Public& key) const;

 private:
  std::string path_;
};

}  // namespace holdfast::cli
