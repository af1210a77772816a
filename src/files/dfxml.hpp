// SPDX-License-Identifier: GPL-2.0-or-later
// Reads the list of files that fiwalk(1) of The Sleuth Kit prints as Digital Forensics XML
// (https://github.com/dfxml-working-group/dfxml_schema): for each file its name and its runs of
// bytes on the device. Pure: text goes in piece by piece, and files come out as they are complete.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "files/bad_areas.hpp"

namespace dmremap::files {

// A part of a file with a place of its own. Parts inside of metadata (small files of NTFS), holes
// and parts without a place are left out.
struct FileRun {
  std::uint64_t file_offset = 0;
  ByteRange place;  // on the device
  // The run is compressed. Its bytes in the file cannot be told apart, and unpacked they may be
  // more.
  bool packed = false;

  bool operator==(const FileRun&) const = default;
};

struct WalkedFile {
  std::string path;  // from the root of the file system, without a slash before it
  bool directory = false;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;  // bytes
  std::vector<FileRun> runs;

  bool operator==(const WalkedFile&) const = default;
};

class DfxmlReader {
 public:
  // Called with each file and directory, except `.`, `..` and entries that exist in no directory.
  using FileHandler = std::function<void(WalkedFile)>;

  explicit DfxmlReader(FileHandler take);
  ~DfxmlReader();
  DfxmlReader(const DfxmlReader&) = delete;
  DfxmlReader& operator=(const DfxmlReader&) = delete;

  // Takes any bytes, in pieces. Error io if they are not XML; after that nothing more is taken.
  [[nodiscard]] Result<void> feed(std::string_view text);
  // Call it after the last piece. Errors: as above, also if the text ends too early.
  [[nodiscard]] Result<void> finish();

  // The file systems that the text is of, such as "ntfs", "exfat", "fat32".
  [[nodiscard]] const std::vector<std::string>& file_systems() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dmremap::files
