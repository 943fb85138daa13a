// Errors and results: how every operation that can fail says so.
//
// `Result<T>` is either a value or an `Error`; nothing here is thrown. A code exists only where a caller could act on
// it; the table in error.cc answers, per code: what it means, whether and where to retry, whether replicas would all
// fail alike, and whether data was lost. The codes up to kInternal travel on the wire under their names.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace holdfast {

enum class Code : uint8_t {
  // On the wire.
  kBadRequest,
  kTooLarge,
  kNotFound,
  kDuplicateKey,
  kConflict,
  kTxUnknown,
  kSessionUnknown,
  kCursorExpired,
  kSnapshotTooOld,
  kUnsupported,
  kAuth,
  kReadOnly,
  kDiskFull,
  kCorrupt,
  kOverloaded,
  kTimeout,
  kNotPrimary,
  kUnknownOutcome,
  kShuttingDown,
  kInternal,
  // Within a process only; the server turns them into one of the above before they reach a client.
  kIo,      ///< the operating system refused a read, write or sync
  kClosed,  ///< the connection, channel or listener was closed
  kExists,  ///< a file of that name is already there
  kLocked,  ///< another process holds the data directory
  kUnreachable,  ///< no connection could be made: nothing was sent
};

/// Where a failed request may be sent again.
enum class Retry : uint8_t { kNever, kSameServer, kOtherServer, kAfterAsking };

struct CodeInfo {
  Code code;
  std::string_view name;     ///< as on the wire
  Retry retry;               ///< whether sending the same request again can help, and where
  bool deterministic;        ///< every replica evaluating the same request would answer the same
  bool data_lost;            ///< something that had been acknowledged may be gone
  std::string_view meaning;  ///< one sentence, for the documentation
};

const CodeInfo& info(Code code);
/// The code of that wire name; kInternal for a name that is not in the list.
Code code_of(std::string_view name);

struct Error {
  Code code = Code::kInternal;
  std::string message;  ///< a sentence that says what to do; without the code's name

  /// `code: sentence`, the form in which errors are shown to people and sent to clients.
  std::string text() const { return std::string(info(code).name) + ": " + message; }
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}

/// Passes an error on: `if (!r) return fail(r);`.
template <class T>
std::unexpected<Error> fail(const Result<T>& r) {
  return std::unexpected<Error>(r.error());
}
template <class T>
std::unexpected<Error> fail(Result<T>&& r) {
  return std::unexpected<Error>(std::move(r.error()));
}

}  // namespace holdfast

// HF_TRY(x, expr): evaluates expr; on error returns (HF_CO_TRY: co_returns) it, else declares x as the value.
// HF_CHECK_OK(expr): the same for results whose value is not needed.
#define HF_CONCAT_(a, b) a##b
#define HF_CONCAT(a, b) HF_CONCAT_(a, b)
#define HF_TRY_IMPL_(ret, tmp, decl, ...)        \
  auto tmp = __VA_ARGS__;                        \
  if (!tmp) ret ::holdfast::fail(std::move(tmp)); \
  decl = std::move(*tmp)
#define HF_TRY(decl, ...) HF_TRY_IMPL_(return, HF_CONCAT(hf_try_, __COUNTER__), auto decl, __VA_ARGS__)
#define HF_CO_TRY(decl, ...) HF_TRY_IMPL_(co_return, HF_CONCAT(hf_try_, __COUNTER__), auto decl, __VA_ARGS__)
#define HF_CHECK_OK(...)                                                         \
  do {                                                                           \
    auto hf_ok = __VA_ARGS__;                                                    \
    if (!hf_ok) return ::holdfast::fail(std::move(hf_ok));                       \
  } while (0)
#define HF_CO_CHECK_OK(...)                                                      \
  do {                                                                           \
    auto hf_ok = __VA_ARGS__;                                                    \
    if (!hf_ok) co_return ::holdfast::fail(std::move(hf_ok));                    \
  } while (0)
