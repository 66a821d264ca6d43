#pragma once

// Bounds of storage/sqlite.

#include <cstddef>
#include <cstdint>

namespace uproar::storage::sqlite {

// One transaction takes what is queued up to this; the rest follows in the next. At 100,000 rows/s 8,192 rows last
// 80 ms, and nobody's acknowledgement waits longer than two of them.
inline constexpr std::size_t kTransactionRowsMax = 8192;
inline constexpr std::size_t kTransactionBytesMax = std::size_t{16} * 1024 * 1024;

// Work that waits for the writer. Shards bring one batch each (64 shards * 4 MiB at most), the rest is directory work
// of a few hundred bytes. Beyond it: batches are answered kUnavailable, directory calls kOverloaded.
inline constexpr std::size_t kWriteJobsMax = 4096;
inline constexpr std::size_t kWriteBytesMax = std::size_t{256} * 1024 * 1024;
static_assert(kTransactionBytesMax <= kWriteBytesMax);

// Reads that wait. One takes 20 us to 2 ms, presence.get of 256 strangers 25 ms and more; 4,096 of
// the usual ones are a second or two of work for two threads. Beyond it: kOverloaded.
inline constexpr std::size_t kReadJobsMax = 4096;

// Users whose last_online waits for the next transaction: 65,536 * 40 bytes = 2.6 MiB. Beyond it the newest are
// dropped: the value is lossy by contract.
inline constexpr std::size_t kLastOnlineMax = 65536;

// How often one transaction starts again without a row that broke a constraint (which is a bug of ours, so rare).
inline constexpr int kTransactionAttemptsMax = 8;

// Another process (the sqlite3 tool, a backup) may hold the database for this long before commits are refused.
inline constexpr int kBusyTimeoutMs = 1000;
// Page caches: 16 MiB for the writer (a hot set of 4,096 pages), 512 KiB for each reader: the inner pages of every index
// of a million rows. Leaves come from the kernel's page cache, which all readers share, at a copy of 4 KiB each.
inline constexpr int kWriterCacheKib = 16 * 1024;
inline constexpr int kReaderCacheKib = 512;
// The log is cut back to this after a checkpoint, so that a burst does not keep its disk space for ever.
inline constexpr int kWalBytesKept = 64 * 1024 * 1024;
// What a probe writes: 16 pages and the one that holds the row. The commit of a message dirties some ten, so where a
// small message finds no room a probe finds none either.
inline constexpr std::size_t kProbeRowBytes = std::size_t{64} * 1024;
// While commits fail, the writer probes by itself this often.
inline constexpr std::uint32_t kProbeIntervalMs = 500;

}  // namespace uproar::storage::sqlite
