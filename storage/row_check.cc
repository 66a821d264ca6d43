#include "storage/row_check.h"

#include <cstddef>
#include <limits>

#include "proto/base/uuid.h"
#include "proto/chat/text.h"

namespace uproar::storage {
namespace {

// What `cell` is instead of what it should be; null when it is well. Whether a column may be NULL is the schema's.
const char* fault_of(CellType type, const Cell& cell) {
  if (cell.is_null) return nullptr;
  switch (type) {
    case CellType::kId:
      return cell.bytes.size() == Uuid::kBinaryBytes ? nullptr : "is no id of 16 bytes";
    case CellType::kIds:
      return cell.bytes.size() % Uuid::kBinaryBytes == 0 ? nullptr : "is no list of ids";
    case CellType::kText:
      return chat::is_text(cell.bytes) ? nullptr : "is no UTF-8 text, or has a NUL in it";
    case CellType::kSmall:
      return cell.number >= 0 && cell.number <= std::numeric_limits<std::int16_t>::max()
                 ? nullptr
                 : "is out of range";
    case CellType::kNumber:
      return cell.number >= 0 ? nullptr : "is negative";
    case CellType::kBytes:
    case CellType::kTime:
    case CellType::kTimeOrNever:
      return nullptr;
  }
  return nullptr;
}

// The columns by which people find a row: ids and numbers of its front.
std::string name_of(const TransferTable& table, Row row) {
  std::string out = table.name;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string_view column = table.columns[i].name;
    if (row[i].is_null) continue;
    const bool is_id = table.columns[i].type == CellType::kId &&
                       row[i].bytes.size() == Uuid::kBinaryBytes && column != "subject";
    const bool is_place = column == "seq" || column == "message_seq";
    if (!is_id && !is_place) continue;
    out += " ";
    out += column;
    out += " ";
    out += is_id ? Uuid::from_bytes(row[i].bytes.data()).text() : std::to_string(row[i].number);
  }
  return out;
}

}  // namespace

std::string fault_of(const TransferTable& table, Row row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const char* fault = fault_of(table.columns[i].type, row[i]);
    if (fault != nullptr)
      return name_of(table, row) + ": " + table.columns[i].name + " " + std::string(fault);
  }
  return {};
}

}  // namespace uproar::storage
