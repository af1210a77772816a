// SPDX-License-Identifier: GPL-2.0-or-later
// The one list of error codes. Each has the name that `--json` prints and the class that decides
// the exit status (cli surface: 1 failed, 2 wrong usage, 3 refused as unsafe).
#pragma once

#include <string_view>

namespace dmremap {

enum class ErrorClass { failed = 1, usage = 2, refused = 3 };

// clang-format off
#define DMREMAP_ERROR_CODES(X)                                              \
  /* wrong usage */                                                         \
  X(usage,                    "usage",                     usage)           \
  /* failed */                                                              \
  X(io,                       "io",                        failed)          \
  X(no_such_device,           "no-such-device",            failed)          \
  X(not_a_device,             "not-a-device",              failed)          \
  X(permission,               "permission",                failed)          \
  X(no_space,                 "no-space",                  failed)          \
  X(no_memory,                "no-memory",                 failed)          \
  X(not_supported,            "not-supported",             failed)          \
  X(not_running,              "not-running",               failed)          \
  X(no_metadata,              "no-metadata",               failed)          \
  X(metadata_commit,          "metadata-commit",           failed)          \
  X(metadata_full,            "table-full",                failed)          \
  X(spare_full,               "spare-full",                failed)          \
  X(read_only,                "read-only",                 failed)          \
  X(tripped,                  "tripped",                   failed)          \
  X(protocol,                 "protocol",                  failed)          \
  X(timeout,                  "timeout",                   failed)          \
  X(internal,                 "internal",                  failed)          \
  /* refused as unsafe */                                                   \
  X(name_in_use,              "name-in-use",               refused)         \
  X(device_in_use,            "device-in-use",             refused)         \
  X(device_mounted,           "device-mounted",            refused)         \
  X(device_read_only,         "device-read-only",          refused)         \
  X(device_too_small,         "device-too-small",          refused)         \
  X(device_too_large,         "device-too-large",          refused)         \
  X(same_device,              "same-device",               refused)         \
  X(block_size,               "block-size",                refused)         \
  X(spare_on_main,            "spare-on-main",             refused)         \
  X(spare_has_data,           "spare-has-data",            refused)         \
  X(spare_has_set,            "spare-has-set",             refused)         \
  X(spare_unreadable,         "spare-unreadable",          refused)         \
  X(metadata_newer,           "metadata-newer",            refused)         \
  X(metadata_doubtful,        "metadata-doubtful",         refused)         \
  X(metadata_fork,            "metadata-fork",             refused)         \
  X(metadata_exhausted,       "metadata-sequence-end",     refused)         \
  X(not_in_doubt,             "not-in-doubt",              refused)         \
  X(copy_outdated,            "copy-outdated",             refused)         \
  X(still_remapped,           "still-remapped",            refused)         \
  X(file_exists,              "file-exists",               refused)         \
  X(wrong_main,               "wrong-main",                refused)         \
  X(main_unproven,            "main-unproven",             refused)         \
  X(main_resized,             "main-resized",              refused)         \
  X(main_changed,             "main-changed",              refused)         \
  X(main_has_set,             "main-has-set",              refused)         \
  X(missing_device,           "missing-device",            refused)         \
  X(ambiguous,                "ambiguous",                 refused)         \
  X(not_claimed,              "not-claimed",               refused)         \
  X(claim_damaged,            "claim-damaged",             refused)         \
  X(claim_of_another,         "claim-of-another",          refused)         \
  X(leftovers_in_use,         "leftovers-in-use",          refused)
// clang-format on

enum class ErrorCode {
#define DMREMAP_ENUMERATOR(id, name, error_class) id,
  DMREMAP_ERROR_CODES(DMREMAP_ENUMERATOR)
#undef DMREMAP_ENUMERATOR
};

struct ErrorCodeInfo {
  std::string_view name;
  ErrorClass error_class;
};

inline constexpr ErrorCodeInfo kErrorCodes[] = {
#define DMREMAP_INFO(id, name, error_class) {name, ErrorClass::error_class},
    DMREMAP_ERROR_CODES(DMREMAP_INFO)
#undef DMREMAP_INFO
};

[[nodiscard]] constexpr std::string_view name_of(ErrorCode code) {
  return kErrorCodes[static_cast<unsigned>(code)].name;
}

[[nodiscard]] constexpr ErrorClass class_of(ErrorCode code) {
  return kErrorCodes[static_cast<unsigned>(code)].error_class;
}

}  // namespace dmremap
