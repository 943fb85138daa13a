// Names to IPv4 addresses.
#pragma once

#include <netinet/in.h>

#include "io/network.h"
#include "io/real/helper_threads.h"

namespace holdfast::real {

/// Addresses in figures, and "localhost" (always 127.0.0.1), are answered at once; other names by the operating
/// system's resolver on a helper thread. kNotFound when there is no such name, kTimeout when the deadline passes
/// first.
io::Task<Result<sockaddr_in>> resolve(HelperThreads& threads, io::Endpoint endpoint, Time deadline);

std::string address_text(const sockaddr_in& address);  ///< "127.0.0.1:6900"
bool is_loopback(const sockaddr_in& address);

}  // namespace holdfast::real
