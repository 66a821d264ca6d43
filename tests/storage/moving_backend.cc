#include <utility>

#include "storage/postgres/import.h"
#include "storage/postgres/postgres_store.h"
#include "storage/sqlite/export.h"
#include "storage/sqlite/sqlite_store.h"
#include "tests/storage/contract.h"
#include "tests/storage/postgres/postgres_server.h"

namespace uproar::storage {
namespace {

class MovingBackend final : public Backend {
 public:
  MovingBackend() : url_(PostgresServer::shared().make_database()) {
    auto opened = SqliteStore::open({.folder = folder()});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    store_ = std::move(opened).value();
  }
  ~MovingBackend() override {
    store_.reset();
    PostgresServer::shared().drop_database(url_);
  }
  Store& store() override { return *store_; }
  [[nodiscard]] bool is_durable() const override { return true; }
  void reopen() override {
    store_.reset();
    if (!is_moved_) move();
    auto opened = PostgresStore::open({.url = url_, .node = "test"});
    UPROAR_CHECK(opened.ok(), opened.error().text());
    store_ = std::move(opened).value();
  }

 private:
  std::string folder() const { return folder_.path() + "/data"; }
  void move() {
    auto from = sqlite::Export::open(folder());
    UPROAR_CHECK(from.ok(), from.error().text());
    auto to = postgres::Import::open(
        {.url = url_, .node = "moving", .statement_timeout_ms = 5000, .connect_timeout_s = 3});
    UPROAR_CHECK(to.ok(), to.error().text());
    const auto moved = transfer(**from, **to, [](const TransferProgress&) {});
    UPROAR_CHECK(moved.ok(), moved.error().text());
    is_moved_ = true;
  }

  TemporaryFolder folder_;
  const std::string url_;
  bool is_moved_ = false;
  std::unique_ptr<Store> store_;
};

}  // namespace

std::unique_ptr<Backend> make_moving_backend() {
  return std::make_unique<MovingBackend>();
}

}  // namespace uproar::storage
