#include "core/runtime/probe.h"

#include <fcntl.h>

#include <cerrno>

#include <gtest/gtest.h>

namespace uproar::runtime {
namespace {

TEST(Probe, FindsEverythingRequiredHereOrSaysHowToMendIt) {
  const auto findings = probe_features({});
  ASSERT_FALSE(findings.empty());
  for (const Finding& finding : findings) {
    SCOPED_TRACE(finding.name + ": " + std::string(status_name(finding.status)) + ", " +
                 finding.detail);
    EXPECT_FALSE(finding.detail.empty());
    if (finding.status != Finding::Status::kOk) {
      EXPECT_FALSE(finding.remedy.empty());
    }
    EXPECT_FALSE(finding.fatal());  // the suite needs a kernel that can run the server
  }
  EXPECT_TRUE(require_features(findings).ok());
}

TEST(Probe, LeavesNoDescriptorBehind) {
  const auto descriptors = [] {
    int count = 0;
    for (int fd = 0; fd < 256; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
  };
  const int before = descriptors();
  (void)probe_features({});
  EXPECT_EQ(descriptors(), before);
}

TEST(Probe, RequireReportsTheFirstFatalFindingWithItsRemedy) {
  const std::vector<Finding> findings = {
      {.name = "fine",
       .status = Finding::Status::kOk,
       .required = true,
       .code = 0,
       .detail = "",
       .remedy = ""},
      {.name = "nice",
       .status = Finding::Status::kMissing,
       .required = false,
       .code = 0,
       .detail = "",
       .remedy = ""},
      {.name = "needed",
       .status = Finding::Status::kMissing,
       .required = true,
       .code = EPERM,
       .detail = "refused",
       .remedy = "allow it"},
  };
  const auto verdict = require_features(findings);
  ASSERT_FALSE(verdict.ok());
  EXPECT_EQ(verdict.error().text(),
            "needed refused: Operation not permitted (errno 1). Try: allow it");
}

TEST(Probe, EveryRefusalOfSetupNamesARemedy) {
  for (const int code : {EPERM, ENOSYS, EINVAL, ENOMEM, EMFILE, ENFILE}) {
    const SystemError error = explain_ring_refusal("io_uring_setup", code);
    EXPECT_FALSE(error.hint.empty()) << code;
    EXPECT_FALSE(error.subject.empty()) << code;
  }
}

}  // namespace
}  // namespace uproar::runtime
