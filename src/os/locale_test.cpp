// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/locale.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

namespace dmremap::os {
namespace {

TEST(Locale, ItsNameTellsTheCharacters) {
  for (const char* const name : {"en_US.UTF-8", "C.utf8", "de_DE.UTF-8@euro"}) {
    EXPECT_TRUE(names_utf8(name)) << name;
  }
  for (const char* const name : {"", "C", "POSIX", "en_US", "de_DE.ISO-8859-1", "utf8", "C.utf"}) {
    EXPECT_FALSE(names_utf8(name)) << name;
  }
}

TEST(Locale, TheFirstVariableThatIsSetDecides) {
  ::setenv("LANG", "en_US.UTF-8", 1);
  ::setenv("LC_CTYPE", "", 1);
  ::unsetenv("LC_ALL");
  EXPECT_TRUE(shows_utf8());
  ::setenv("LC_CTYPE", "C", 1);
  EXPECT_FALSE(shows_utf8());
  ::setenv("LC_ALL", "C.UTF-8", 1);
  EXPECT_TRUE(shows_utf8());
  for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) ::unsetenv(name);
  EXPECT_FALSE(shows_utf8()) << "the locale is C then";
}

}  // namespace
}  // namespace dmremap::os
