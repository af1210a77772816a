// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/dfxml.hpp"

#include <gtest/gtest.h>

namespace dmremap::files {
namespace {

constexpr std::string_view kText = R"(<?xml version='1.0' encoding='UTF-8'?>
<dfxml version='1.0'>
  <volume offset='0'>
    <ftype>1</ftype>
    <ftype_str>ntfs</ftype_str>
    <fileobject>
      <parent_object><inode>5</inode></parent_object>
      <filename>a &amp; b/two\x0Alines</filename>
      <name_type>r</name_type>
      <inode>74</inode>
      <filesize>12388</filesize>
      <byte_runs>
       <byte_run file_offset='0' fs_offset='4096' img_offset='4096' len='8192'/>
       <byte_run file_offset='8192' fill='0' len='4096'/>
       <byte_run file_offset='12288' fs_offset='65536' img_offset='65536' len='100'/>
      </byte_runs>
    </fileobject>
    <fileobject>
      <filename>a &amp; b/.</filename><name_type>d</name_type><inode>73</inode>
    </fileobject>
    <fileobject>
      <filename>a &amp; b</filename><name_type>d</name_type><inode>73</inode>
      <byte_runs>
       <byte_run file_offset='0' fs_offset='0' img_offset='0' len='56' type='resident'/>
      </byte_runs>
    </fileobject>
    <fileobject><filename>$OrphanFiles</filename><name_type>V</name_type></fileobject>
    <fileobject>
      <filename>packed</filename><name_type>r</name_type><inode>75</inode><filesize>16384</filesize>
      <byte_runs>
       <byte_run file_offset='0' fs_offset='8192' img_offset='8192' uncompressed_len='4096'/>
       <byte_run file_offset='4096' uncompressed_len='12288'/>
      </byte_runs>
    </fileobject>
  </volume>
</dfxml>
)";

std::vector<WalkedFile> read(std::string_view text, std::size_t at_once) {
  std::vector<WalkedFile> out;
  DfxmlReader reader([&](WalkedFile file) { out.push_back(std::move(file)); });
  for (; !text.empty(); text.remove_prefix(std::min(at_once, text.size()))) {
    EXPECT_TRUE(reader.feed(text.substr(0, at_once)));
  }
  EXPECT_TRUE(reader.finish());
  EXPECT_EQ(reader.file_systems(), std::vector<std::string>{"ntfs"});
  return out;
}

TEST(Dfxml, FilesAreReadWithThePartsThatHaveAPlace) {
  const std::vector<WalkedFile> expected{{"a & b/two\nlines",
                                          false,
                                          74,
                                          12388,
                                          {{0, {4096, 8192}, false}, {12288, {65536, 100}, false}}},
                                         {"a & b", true, 73, 0, {}},
                                         {"packed", false, 75, 16384, {{0, {8192, 4096}, true}}}};
  EXPECT_EQ(read(kText, kText.size()), expected);
  EXPECT_EQ(read(kText, 1), expected) << "in any pieces";
}

TEST(Dfxml, ATextThatEndsTooEarlyIsAnError) {
  for (const std::size_t length : {std::size_t{0}, std::size_t{100}, kText.size() - 12}) {
    DfxmlReader reader([](const WalkedFile&) {});
    (void)reader.feed(kText.substr(0, length));
    const auto done = reader.finish();
    ASSERT_FALSE(done) << length;
    EXPECT_EQ(done.error().code, ErrorCode::io);
  }
}

TEST(Dfxml, WhatIsNoXmlIsAnError) {
  DfxmlReader reader([](const WalkedFile&) {});
  EXPECT_FALSE(reader.feed("fiwalk: no such image"));
}

}  // namespace
}  // namespace dmremap::files
