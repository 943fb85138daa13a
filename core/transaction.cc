#include "core/transaction.h"

#include <fmt/core.h>

#include <charconv>

namespace holdfast::core {

TransactionCollection& Transaction::collection(std::string_view database, std::string_view name) {
  auto key = std::pair(std::string(database), std::string(name));
  auto at = collections.find(key);
  if (at == collections.end()) {
    at = collections.try_emplace(key, TransactionCollection{.database = key.first, .name = key.second, .ref = catalog->collection(database, name), .writes = {}, .reads = {}}).first;
  }
  return at->second;
}

Buffer transaction_id(uint64_t number, uint64_t secret) { return fmt::format("{:016x}{:016x}", number, secret); }

std::optional<std::pair<uint64_t, uint64_t>> read_transaction_id(Bytes id) {
  std::pair<uint64_t, uint64_t> out;
  auto read = [](Bytes digits, uint64_t& value) {
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  if (id.size() != 32 || !read(id.substr(0, 16), out.first) || !read(id.substr(16), out.second)) return std::nullopt;
  return out;
}

}  // namespace holdfast::core
