// SPDX-License-Identifier: GPL-2.0-or-later
#include "files/dfxml.hpp"

#include <charconv>
#include <optional>
#include <utility>

#include <expat.h>
#include <fmt/format.h>

namespace dmremap::files {

namespace {

constexpr std::size_t kLongestText = std::size_t{64} * 1024;  // longest path: NTFS has 32767 units

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t out = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return out;
}

// fiwalk writes control characters as \x0A, which no name of these file systems contains as such.
std::string unescape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    unsigned value = 0;
    const bool escaped =
        text.size() >= 4 && text.starts_with("\\x") &&
        std::from_chars(text.data() + 2, text.data() + 4, value, 16).ptr == text.data() + 4;
    out += escaped ? static_cast<char>(value) : text.front();
    text.remove_prefix(escaped ? 4 : 1);
  }
  return out;
}

bool is_dot(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name == "." || name == "..";
}

struct Attributes {
  const char** pairs;

  [[nodiscard]] std::string_view text(std::string_view name) const {
    for (const char** at = pairs; *at != nullptr; at += 2) {
      if (name == at[0]) return at[1];
    }
    return {};
  }
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name) const {
    return number_in(text(name));
  }
};

// The run that an element describes, if it has a place. For a compressed file fiwalk gives the
// clusters that are stored, and the holes between them, with `uncompressed_len` as their length;
// only the stored ones have a place.
std::optional<FileRun> run_of(const Attributes& attributes) {
  const auto at = attributes.number("img_offset");
  auto length = attributes.number("len");
  const bool packed = !length;
  if (packed) length = attributes.number("uncompressed_len");
  if (attributes.text("type") == "resident" || !at || !length || *length == 0) return std::nullopt;
  return FileRun{attributes.number("file_offset").value_or(0), {*at, *length}, packed};
}

}  // namespace

struct DfxmlReader::State {
  struct Free {
    void operator()(XML_Parser handle) const { ::XML_ParserFree(handle); }
  };

  explicit State(FileHandler take_file)
      : take(std::move(take_file)), parser(::XML_ParserCreate("UTF-8")) {
    ::XML_SetUserData(parser.get(), this);
    ::XML_SetElementHandler(parser.get(), begin, end);
    ::XML_SetCharacterDataHandler(parser.get(), characters);
  }

  static void begin(void* user, const char* name, const char** attributes) {
    static_cast<State*>(user)->begin_element(name, {attributes});
  }
  static void end(void* user, const char* name) { static_cast<State*>(user)->end_element(name); }
  static void characters(void* user, const char* text, int length) {
    State& self = *static_cast<State*>(user);
    if (self.text.size() < kLongestText) self.text.append(text, static_cast<std::size_t>(length));
  }

  void begin_element(std::string_view name, const Attributes& attributes) {
    text.clear();
    if (name == "fileobject") {
      file = WalkedFile{};
      type = 0;
    } else if (name == "parent_object") {
      in_parent = true;
    } else if (name == "byte_run" && file) {
      if (auto run = run_of(attributes)) file->runs.push_back(*run);
    }
  }

  void end_element(std::string_view name) {
    if (name == "ftype_str") {
      file_systems.push_back(text);
    } else if (name == "parent_object") {
      in_parent = false;
    } else if (file && !in_parent) {
      end_of_file_part(name);
    }
    text.clear();
  }

  void end_of_file_part(std::string_view name) {
    if (name == "filename") {
      file->path = unescape(text);
    } else if (name == "inode") {
      file->inode = number_in(text).value_or(0);
    } else if (name == "filesize") {
      file->size = number_in(text).value_or(0);
    } else if (name == "name_type") {
      type = text.empty() ? '\0' : text.front();
    } else if (name == "fileobject") {
      file->directory = type == 'd';
      // Type V is the directory that fiwalk invents for entries that no directory names.
      if (type != 'V' && !is_dot(file->path)) take(std::move(*file));
      file.reset();
    }
  }

  Result<void> parse(std::string_view piece, bool last) {
    // expat counts in int.
    constexpr std::size_t kAtOnce = std::size_t{1} << 20U;
    do {
      const std::string_view now = piece.substr(0, kAtOnce);
      piece.remove_prefix(now.size());
      const bool end = last && piece.empty();
      if (::XML_Parse(parser.get(), now.data(), static_cast<int>(now.size()), end ? 1 : 0) ==
          XML_STATUS_ERROR) {
        return fail(ErrorCode::io,
                    fmt::format("what fiwalk says is cut off or no XML: {} in line {}",
                                ::XML_ErrorString(::XML_GetErrorCode(parser.get())),
                                ::XML_GetCurrentLineNumber(parser.get())),
                    {}, "try `fiwalk -x -g -z -O` on the device by hand");
      }
    } while (!piece.empty());
    return {};
  }

  FileHandler take;
  std::unique_ptr<std::remove_pointer_t<XML_Parser>, Free> parser;
  std::vector<std::string> file_systems;
  std::string text;  // the text of the current element
  std::optional<WalkedFile> file;
  bool in_parent = false;
  char type = 0;
};

DfxmlReader::DfxmlReader(FileHandler take) : state_(std::make_unique<State>(std::move(take))) {}
DfxmlReader::~DfxmlReader() = default;

Result<void> DfxmlReader::feed(std::string_view text) {
  return state_->parse(text, false);
}
Result<void> DfxmlReader::finish() {
  return state_->parse({}, true);
}
const std::vector<std::string>& DfxmlReader::file_systems() const {
  return state_->file_systems;
}

}  // namespace dmremap::files
