#include "bench/timing.h"

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "server/users.h"

namespace holdfast::bench {
namespace {

constexpr int kCallsPerSample = 32;

double now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

struct Moments {
  double n = 0, mean = 0, square = 0;
  void add(double x) {
    ++n;
    double d = x - mean;
    mean += d / n;
    square += d * (x - mean);
  }
  double variance() const { return square / (n - 1); }
};

/// `call` with one or the other secret, in a random order, timed one by one; both lie in the same place.
double welch(uint64_t samples, const std::string (&secrets)[2], const std::function<void(const std::string&)>& call) {
  std::string secret(secrets[0].size(), ' ');
  std::mt19937 random(1);
  std::vector<std::pair<int, double>> times;
  for (uint64_t i = 0; i < 2 * samples; ++i) {
    int kind = static_cast<int>(random() & 1);
    std::copy(secrets[kind].begin(), secrets[kind].end(), secret.begin());
    double begin = now_ns();
    for (int k = 0; k < kCallsPerSample; ++k) call(secret);
    times.emplace_back(kind, now_ns() - begin);
  }
  std::vector<double> all;
  for (auto& [kind, t] : times) all.push_back(t);
  auto slow = all.begin() + static_cast<ptrdiff_t>(all.size() / 20 * 19);
  std::nth_element(all.begin(), slow, all.end());
  Moments of[2];
  for (auto& [kind, t] : times)
    if (t < *slow) of[kind].add(t);
  return (of[0].mean - of[1].mean) / std::sqrt(of[0].variance() / of[0].n + of[1].variance() / of[1].n);
}

double proof_first_against_last(uint64_t samples) {
  const Buffer right(wire::kTagBytes, 'r');
  Buffer wrong[2] = {right, right};
  wrong[0].front() = 'x';
  wrong[1].back() = 'x';
  volatile bool sink = false;
  return welch(samples, wrong, [&](const std::string& proof) { sink = wire::equal(right, proof); });
}

double token_near_against_far(uint64_t samples) {
  const Buffer right(64, 'a');
  Buffer wrong[2] = {right, Buffer(64, 'b')};
  wrong[0].back() = 'b';
  volatile bool sink = false;
  return welch(samples, wrong, [&](const std::string& proof) { sink = wire::equal(right, proof); });
}

double known_against_unknown(uint64_t samples) {
  server::Users users(wire::Key(Buffer(32, 'k')), wire::Key(Buffer(32, 's')));
  wire::Verifier verifier = *wire::make_verifier("x", Buffer(wire::kSaltBytes, 'x'), wire::kLeastCost);
  for (int i = 0; i < 20; ++i) (void)users.add({.name = fmt::format("user{:02}", i), .verifier = verifier});
  const std::string name[2] = {"user07", "user7x"};
  volatile char sink = 0;
  return welch(samples / 20, name, [&](const std::string& n) { sink = users.find(n, {}).verifier.salt[0]; });
}

}  // namespace

void measure_timing(const TimingOptions& o) {
  fmt::print(
      "{{\"samples\":{},\"proof_first_byte_against_last\":{:.2f},\"token_last_byte_against_all\":{:.2f},\"user_known_"
      "against_unknown\":{:.2f}}}\n",
      o.samples, proof_first_against_last(o.samples), token_near_against_far(o.samples),
      known_against_unknown(o.samples));
}

}  // namespace holdfast::bench
