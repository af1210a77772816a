// SPDX-License-Identifier: GPL-2.0-or-later
// Where the files of a file system lie, as fiwalk(1) of The Sleuth Kit says it in Digital Forensics
// XML (https://github.com/dfxml-working-group/dfxml_schema): for each file its name and its runs of
// bytes on the device. Pure: text in, files out, as they come.
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
  ByteRange place;  // of the device
  // Compressed: the file's bytes there cannot be told apart, and what is unpacked may be more.
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
  // Called with each file and directory, but for `.`, `..` and what exists in no directory.
  using Take = std::function<void(WalkedFile)>;

  explicit DfxmlReader(Take take);
  ~DfxmlReader();
  DfxmlReader(const DfxmlReader&) = delete;
  DfxmlReader& operator=(const DfxmlReader&) = delete;

  // Any bytes, in pieces. Error: io, where they are no XML; from then on nothing more is taken.
  [[nodiscard]] Result<void> feed(std::string_view text);
  // After the last piece. Errors: as above, also where the text ends too early.
  [[nodiscard]] Result<void> finish();

  // The file systems that the text is of, such as "ntfs", "exfat", "fat32".
  [[nodiscard]] const std::vector<std::string>& file_systems() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dmremap::files
