# SPDX-License-Identifier: GPL-2.0-or-later
# The version and its date stand once: in the changelog.

# dmremap_read_version(CHANGELOG): sets DMREMAP_VERSION and DMREMAP_DATE from the newest version's
# heading, "## 5.0.0 - 2026-11-29". "## Unreleased" may stand above it, and nothing else: a heading
# that cannot be read ends the configuration, so that no program is built with the date of another.
function(dmremap_read_version changelog)
  if(NOT EXISTS ${changelog})
    message(FATAL_ERROR "${changelog} is missing: the version and its date are read from there")
  endif()
  file(STRINGS ${changelog} headings REGEX "^## ")
  if(headings)
    list(GET headings 0 newest)
    if(newest STREQUAL "## Unreleased")
      list(POP_FRONT headings)
    endif()
  endif()
  set(newest "")
  if(headings)
    list(GET headings 0 newest)
  endif()
  if(NOT newest MATCHES
     "^## ([0-9]+\\.[0-9]+\\.[0-9]+) - (20[0-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))$")
    message(FATAL_ERROR
            "${changelog}: the heading of the newest version is \"${newest}\": write it as "
            "\"## 5.0.0 - 2026-11-29\"")
  endif()
  set(DMREMAP_VERSION ${CMAKE_MATCH_1} PARENT_SCOPE)
  set(DMREMAP_DATE ${CMAKE_MATCH_2} PARENT_SCOPE)
endfunction()
