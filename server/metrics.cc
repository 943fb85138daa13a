#include "server/metrics.h"

namespace holdfast::server {

Metrics& Metrics::operator+=(const Metrics& other) {
  for (auto member :
       {&Metrics::connections, &Metrics::connections_accepted, &Metrics::connections_refused,
        &Metrics::connections_stalled, &Metrics::connections_late, &Metrics::handshakes, &Metrics::handshakes_refused,
        &Metrics::logins_failed, &Metrics::requests, &Metrics::requests_under_way, &Metrics::bytes_received,
        &Metrics::bytes_sent, &Metrics::bytes_in_flight})
    this->*member += other.*member;
  for (size_t i = 0; i < by_op.size(); ++i) by_op[i] += other.by_op[i];
  for (size_t i = 0; i < by_error.size(); ++i) by_error[i] += other.by_error[i];
  return *this;
}

}  // namespace holdfast::server
