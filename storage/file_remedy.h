#pragma once

// What an operator tries when a file or a folder cannot be had.

#include <string>

namespace uproar::storage {

// `code` is the errno of the refused call, `path` what the server's user has to own. Empty: there
// is nothing better to say than what the code means.
[[nodiscard]] std::string file_remedy(int code, const std::string& path);
// The folder in which the file or folder of this path has its entry.
[[nodiscard]] std::string folder_of(std::string path);

}  // namespace uproar::storage
