#pragma once

// What a store's refusal is called towards clients, in the domain and at both doors.

#include "proto/chat/error_code.h"
#include "storage/history.h"

namespace uproar::chat {

[[nodiscard]] inline ErrorCode error_of(storage::StoreError error) {
  switch (error) {
    case storage::StoreError::kNotFound:
      return ErrorCode::kNotFound;
    case storage::StoreError::kNameTaken:
      return ErrorCode::kNameTaken;
    case storage::StoreError::kExpired:
      return ErrorCode::kTokenExpired;
    case storage::StoreError::kOverloaded:
      return ErrorCode::kOverloaded;
    case storage::StoreError::kUnavailable:
      break;
  }
  return ErrorCode::kUnavailable;
}

}  // namespace uproar::chat
