#include "chaos/suite/settings.h"

#include <fmt/core.h>

#include <algorithm>

namespace holdfast::chaos {

uint64_t Settings::given(const std::string& name, uint64_t usual, uint64_t low, uint64_t high, uint64_t simple) {
  auto fixed = overrides_.settings.find(name);
  uint64_t value = fixed == overrides_.settings.end() ? usual : fixed->second;
  if (value < low || value > high) {
    out_of_range_.push_back(fmt::format("'{}' is {}, but goes from {} to {}", name, value, low, high));
    value = std::clamp(value, low, high);
  }
  may_ask(name);
  if (material_) material_->settings[name] = {value, simple};
  return value;
}

uint64_t Settings::between(const std::string& name, uint64_t low, uint64_t high, uint64_t simple) {
  sim::Stream stream = world_.stream("setting/" + name);
  return given(name, stream.between(low, high), low, high, simple);
}

uint64_t Settings::log_between(const std::string& name, uint64_t low, uint64_t high, uint64_t simple) {
  sim::Stream stream = world_.stream("setting/" + name);
  return given(name, sim::log_uniform(stream, low, high), low, high, simple);
}

bool Settings::one_in(const std::string& name, uint64_t n) {
  sim::Stream stream = world_.stream("setting/" + name);
  return given(name, stream.decide(n) == n - 1 ? 1 : 0, 0, 1, 0) == 1;
}

std::vector<std::string> Settings::misfits() const {
  std::vector<std::string> out = out_of_range_;
  sim::FaultPlan plan;
  for (const auto& [name, value] : overrides_.settings)
    if (!known_.contains(shape(name)) && !sim::set_fault(plan, name, value))
      out.push_back(fmt::format("there is no setting '{}'", name));
  return out;
}

std::string Settings::shape(std::string_view name) {
  std::string out;
  for (char c : name) {
    bool digit = c >= '0' && c <= '9';
    if (!digit)
      out += c;
    else if (out.empty() || out.back() != '#')
      out += '#';
  }
  return out;
}

}  // namespace holdfast::chaos
