#pragma once

// The data folder as the source of a transfer: nobody serves from it meanwhile.

#include <memory>
#include <string>

#include "storage/sqlite/database.h"
#include "storage/sqlite/folder.h"
#include "storage/transfer.h"

namespace uproar::storage::sqlite {

class Export final : public TransferSource {
 public:
  // Takes the folder's lock and reads everything once. Nothing that is kept there is ever changed. Refused, with what to
  // do, when there is no database in it or an empty one, when it is of another release, when what it keeps is damaged or
  // breaks the contract (audit.h), and when a server runs on it.
  static Result<std::unique_ptr<Export>, SystemError> open(const std::string& folder);

  Result<std::uint64_t, SystemError> count(const TransferTable& table) override;
  Result<std::vector<ConversationSummary>, SystemError> summaries(const ConversationId& after,
                                                                  std::uint32_t limit) override;
  Result<void, SystemError> read(const TransferTable& table,
                                 const std::function<bool(Row)>& take) override;

 private:
  Export(FolderLock lock, std::string path, Database database)
      : lock_(std::move(lock)), path_(std::move(path)), database_(std::move(database)) {}

  FolderLock lock_;
  const std::string path_;
  Database database_;
};

}  // namespace uproar::storage::sqlite
