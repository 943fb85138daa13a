// The file of users in the data directory: USERS.<n>, of which the one with the largest number counts.
//
// A change writes USERS.new whole, for its owner's eyes alone, syncs it, gives it the next number, syncs the directory,
// and removes the one before. So a file with a number is whole and durable, or its disk is damaged: then nothing falls
// back to an older one, which might let in who was removed.
//
// Crash at any point: the newest number is the old state or the new one; a USERS.new that is found is nothing.
#pragma once

#include "io/host.h"
#include "server/users.h"

namespace holdfast::server {

struct FoundUsers {
  uint64_t number = 0;  ///< 0: there is no such file
  std::optional<Users> users;
};

/// Nobody yet.
Users new_users(io::Random& random);

/// Reads only. Errors: kCorrupt, kUnsupported, kIo, each naming the file and saying what to do. A directory that is not
/// there has none.
io::Task<Result<FoundUsers>> find_users(io::Disk& disk, std::string data_path);

/// Makes what was found durable: writes it again, under the next number, which `found` then has. (A dead process may
/// have left it in the page cache alone; and when a sync of the directory failed in an earlier life, another one does
/// nothing for the name that is there.) Removes what is left of earlier changes. On a full disk it stays as it is.
/// Requires: the data directory's lock.
io::Task<Result<>> settle_users(io::Disk& disk, std::string data_path, FoundUsers& found);

/// Durable when it returns. `number` is the newest so far, or 0. After an error nobody knows which of the two counts at
/// the next start. Requires: the data directory's lock.
io::Task<Result<>> write_users(io::Disk& disk, std::string data_path, uint64_t number, const Users& users);

}  // namespace holdfast::server
