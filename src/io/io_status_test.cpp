// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/io_status.hpp"

#include <cerrno>

#include <gtest/gtest.h>

namespace dmremap::io {
namespace {

TEST(Classify, OnlyWhatTheKernelCallsAMediumErrorIsOne) {
  EXPECT_EQ(classify(ENODATA), Fault::media);
  EXPECT_EQ(classify(EILSEQ), Fault::media);
}

TEST(Classify, Promise6_ASectorThatTheDriveGivesUpInTimeIsNoDeviceThatVanished) {
  EXPECT_EQ(classify(ETIME), Fault::media);
  EXPECT_FALSE(says_data_is_lost(ETIME)) << "with more time it may read";
  EXPECT_TRUE(says_data_is_lost(ENODATA));
  EXPECT_TRUE(says_data_is_lost(EILSEQ));
  EXPECT_FALSE(says_data_is_lost(EIO));
}

TEST(Classify, ADeviceThatVanishedIsNoBadSector) {
  for (const int error : {ENODEV, ENXIO, ENOLINK, ETIMEDOUT, ESHUTDOWN}) {
    EXPECT_EQ(classify(error), Fault::device) << errno_name(error);
  }
}

TEST(Classify, PlainEioMustBeProbed) {
  EXPECT_EQ(classify(EIO), Fault::unknown);
  EXPECT_EQ(classify(EREMOTEIO), Fault::unknown);
  EXPECT_EQ(classify(12345), Fault::unknown);
}

TEST(Classify, OnlyWhatASectorMayBeToBlameForIsNarrowedDown) {
  for (const int error : {ENODATA, EILSEQ, EIO}) {
    EXPECT_TRUE(may_be_the_sector(classify(error))) << errno_name(error);
  }
  for (const int error : {ENODEV, ENXIO, ENOLINK, ETIMEDOUT, EINVAL, EROFS, ENOSPC, EOPNOTSUPP}) {
    EXPECT_FALSE(may_be_the_sector(classify(error))) << errno_name(error);
  }
}

TEST(Classify, WhatTheDataHadNoPartInIsKeptApart) {
  EXPECT_EQ(classify(EOPNOTSUPP), Fault::unsupported);
  EXPECT_EQ(classify(ENOSPC), Fault::no_space);
  EXPECT_EQ(classify(EDQUOT), Fault::no_space);
  EXPECT_EQ(classify(EINVAL), Fault::caller);
  EXPECT_EQ(classify(EROFS), Fault::caller);
}

TEST(ErrnoName, IsTheSymbolOrTheNumber) {
  EXPECT_EQ(errno_name(EIO), "EIO");
  EXPECT_EQ(errno_name(ENODATA), "ENODATA");
  EXPECT_EQ(errno_name(999), "errno 999");
}

TEST(FaultName, IsDistinctForEach) {
  EXPECT_EQ(name_of(Fault::media), "media");
  EXPECT_EQ(name_of(Fault::device), "device");
  EXPECT_EQ(name_of(Fault::unknown), "unknown");
  EXPECT_EQ(name_of(Fault::unsupported), "unsupported");
  EXPECT_EQ(name_of(Fault::no_space), "no-space");
  EXPECT_EQ(name_of(Fault::caller), "caller");
}

}  // namespace
}  // namespace dmremap::io
