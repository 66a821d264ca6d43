// PostgreSQL as one of the backends of the contract suite: a database for each test, copied from one that was migrated.

#include "storage/postgres/postgres_store.h"
#include "tests/storage/contract.h"
#include "tests/storage/postgres/postgres_server.h"

namespace uproar::storage {
namespace {

std::unique_ptr<PostgresStore> open(const std::string& url) {
  auto opened = PostgresStore::open({.url = url, .node = "test"});
  UPROAR_CHECK(opened.ok(), opened.error().text());
  return std::move(opened).value();
}

class PostgresBackend final : public Backend {
 public:
  PostgresBackend() : url_(PostgresServer::shared().copy_database(migrated())) { reopen(); }
  ~PostgresBackend() override {
    store_.reset();
    PostgresServer::shared().drop_database(url_);
  }
  Store& store() override { return *store_; }
  [[nodiscard]] bool is_durable() const override { return true; }
  void reopen() override {
    store_.reset();
    store_ = open(url_);
  }

 private:
  static const std::string& migrated() {
    static const std::string url = [] {
      std::string made = PostgresServer::shared().make_database();
      open(made);
      return made;
    }();
    return url;
  }

  std::string url_;
  std::unique_ptr<PostgresStore> store_;
};

}  // namespace

std::unique_ptr<Backend> make_postgres_backend() {
  return std::make_unique<PostgresBackend>();
}

}  // namespace uproar::storage
