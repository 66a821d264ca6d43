#include "proto/ws/assembler_pool.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <zlib.h>

#include "proto/base/check.h"

namespace uproar::ws {
namespace {

// zlib's data_type after inflate(): 128 = just behind a block, low six bits = unused bits of the
// last byte.
constexpr int kBehindBlockAtByte = 128;

}  // namespace

InflateStream::InflateStream() : stream_(std::make_unique<z_stream>()) {
  const int result = inflateInit2(stream_.get(), -15);
  UPROAR_CHECK(result == Z_OK, result);
}

InflateStream::~InflateStream() {
  inflateEnd(stream_.get());
}

void InflateStream::reset() {
  inflateReset(stream_.get());
  ended_ = false;
}

InflateStream::Progress InflateStream::inflate(ByteView input, MutableBytes output) {
  UPROAR_DCHECK(!output.empty());
  z_stream& stream = *stream_;
  if (ended_ && !input.empty()) {
    // A block said to be the last need not be (RFC 7692 §7.2.3.4): go on, the window stays.
    inflateResetKeep(&stream);
    ended_ = false;
  }
  stream.next_in =
      reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));  // zlib reads only
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  const int result = ended_ ? Z_STREAM_END : ::inflate(&stream, Z_SYNC_FLUSH);
  UPROAR_CHECK(result != Z_MEM_ERROR);
  ended_ = result == Z_STREAM_END;
  return {.ok = result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR,
          .blocked = stream.avail_out == 0 && !ended_,
          .consumed = input.size() - stream.avail_in,
          .written = output.size() - stream.avail_out};
}

bool InflateStream::at_block_end() const {
  return ended_ || stream_->data_type == kBehindBlockAtByte;
}

PartialBuffer::~PartialBuffer() {
  trim(0);
}

bool PartialBuffer::reserve(std::size_t bytes, std::size_t total_max) {
  const std::size_t needed = size_ + bytes;
  UPROAR_DCHECK(needed <= total_max, needed, total_max);
  if (needed <= capacity_) return true;
  const std::size_t wished = std::max({needed, 2 * capacity_, std::size_t{kPartialBytesMin}});
  const std::size_t capacity = std::max(needed, std::min(wished, total_max));
  const std::size_t padding = data_ == nullptr ? kPayloadPaddingBytes : 0;
  if (!pool_.charge(capacity - capacity_ + padding)) return false;
  auto* grown = static_cast<std::byte*>(std::realloc(data_, capacity + kPayloadPaddingBytes));
  UPROAR_CHECK(grown != nullptr, capacity);
  data_ = grown;
  capacity_ = capacity;
  return true;
}

bool PartialBuffer::append(ByteView bytes, std::size_t total_max) {
  if (bytes.empty()) return true;
  if (!reserve(bytes.size(), total_max)) return false;
  std::memcpy(data_ + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
  return true;
}

ByteView PartialBuffer::padded_view() {
  static constexpr std::byte kNothing[kPayloadPaddingBytes] = {};
  if (size_ == 0) return {kNothing, 0};
  std::memset(data_ + size_, 0, kPayloadPaddingBytes);
  return view();
}

void PartialBuffer::trim(std::size_t capacity_max) {
  if (data_ == nullptr || (capacity_max != 0 && capacity_ <= capacity_max)) return;
  std::free(data_);
  pool_.discharge(capacity_ + kPayloadPaddingBytes);
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

void PartialBuffer::swap(PartialBuffer& other) {
  UPROAR_DCHECK(&pool_ == &other.pool_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
}

void ReturnPartial::operator()(PartialMessage* partial) const {
  partial->pool.give_back(partial);
}

AssemblerPool::AssemblerPool(Options options) : options_(options) {
  spare_partials_.reserve(kSparePartialsMax);
  spare_streams_.reserve(kSpareStreamsMax);
}

AssemblerPool::~AssemblerPool() {
  UPROAR_CHECK(partials_lent_ == 0, partials_lent_);
  UPROAR_CHECK(streams_lent_ == 0, streams_lent_);
}

PartialPtr AssemblerPool::take_partial() {
  ++partials_lent_;
  if (spare_partials_.empty()) return PartialPtr(new PartialMessage(*this));
  std::unique_ptr<PartialMessage> spare = std::move(spare_partials_.back());
  spare_partials_.pop_back();
  return PartialPtr(spare.release());
}

void AssemblerPool::give_back(PartialMessage* partial) {
  UPROAR_CHECK(partials_lent_ > 0);
  --partials_lent_;
  std::unique_ptr<PartialMessage> owned(partial);
  if (owned->stream != nullptr) return_stream(std::move(owned->stream));
  if (spare_partials_.size() == kSparePartialsMax) return;
  owned->bytes.trim(kSpareBufferBytesMax);
  owned->bytes.clear();
  owned->utf8.reset();
  owned->opcode = Opcode::kContinuation;
  owned->compressed = false;
  owned->compressed_bytes = 0;
  owned->frames = 0;
  owned->control_bytes = 0;
  spare_partials_.push_back(std::move(owned));
}

std::unique_ptr<InflateStream> AssemblerPool::take_stream() {
  if (streams_lent_ == options_.inflate_streams_max) return nullptr;
  ++streams_lent_;
  if (spare_streams_.empty()) return std::make_unique<InflateStream>();
  std::unique_ptr<InflateStream> stream = std::move(spare_streams_.back());
  spare_streams_.pop_back();
  stream->reset();
  return stream;
}

void AssemblerPool::return_stream(std::unique_ptr<InflateStream> stream) {
  UPROAR_CHECK(streams_lent_ > 0);
  --streams_lent_;
  if (spare_streams_.size() < kSpareStreamsMax) spare_streams_.push_back(std::move(stream));
}

InflateStream& AssemblerPool::spare_stream() {
  if (scratch_stream_ == nullptr) {
    scratch_stream_ = std::make_unique<InflateStream>();
  } else {
    scratch_stream_->reset();
  }
  return *scratch_stream_;
}

bool AssemblerPool::charge(std::size_t bytes) {
  if (bytes > options_.partial_bytes_max - std::min(bytes_held_, options_.partial_bytes_max))
    return false;
  bytes_held_ += bytes;
  return true;
}

}  // namespace uproar::ws
