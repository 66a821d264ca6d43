#include "core/server/doctor.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/core/server/json_check.h"

namespace uproar::server {
namespace {

TEST(JsonCheck, KnowsWellFormedFromNot) {  // the judge is judged first
  for (const std::string text :
       {"{}", "[]", " {\"a\" : [1, -2.5, true, null, \"x\\\"y\"]}\n", "\"\"", "0"}) {
    EXPECT_TRUE(JsonCheck::well_formed(text)) << text;
  }
  for (const std::string text : {"", "{", "{}}", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "\"",
                                 "[1 2]", "{\"a\":1,}", "\"\n\"", "nul", "{\"a\":\"b}"}) {
    EXPECT_FALSE(JsonCheck::well_formed(text)) << text;
  }
}

TEST(Doctor, SpeaksJsonToPrograms) {
  const DoctorReport report = examine_machine(2, true);
  EXPECT_TRUE(JsonCheck::well_formed(report.text)) << report.text;
  EXPECT_EQ(report.text.find("\"fit\":true") != std::string::npos, report.fit);
  for (const std::string member : {"name", "status", "required", "errno", "detail", "remedy"}) {
    EXPECT_NE(report.text.find("\"" + member + "\":"), std::string::npos) << member;
  }
}

TEST(Doctor, SpeaksLinesToPeopleAndSaysTheSame) {
  const DoctorReport report = examine_machine(2, false);
  EXPECT_EQ(report.fit, examine_machine(2, true).fit);
  EXPECT_EQ(report.text.find("uproar runs here") != std::string::npos, report.fit);
  EXPECT_EQ(report.text.find('\t'), std::string::npos) << "columns are made of blanks";
}

}  // namespace
}  // namespace uproar::server
