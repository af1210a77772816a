# SPDX-License-Identifier: GPL-2.0-or-later
# The build rules that every directory shares: flags, `dmremap_library`, `dmremap_test`.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

# Without it nothing but the product is configured, and what only tests, benches and fuzzers need may
# be missing.
option(BUILD_TESTING "tests, benches and fuzzers too" ON)
set(DMREMAP_SANITIZE "" CACHE STRING "value of -fsanitize=, or empty")
# Off for whoever packages this with a compiler that has warnings of its own; the presets set it.
option(DMREMAP_WERROR "make warnings errors" OFF)
option(DMREMAP_COVERAGE "instrument for gcov" OFF)
option(DMREMAP_FUZZ "build the libFuzzer targets (needs clang)" OFF)

add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Woverloaded-virtual -Wnull-dereference -Wimplicit-fallthrough
  -fno-omit-frame-pointer)
if(DMREMAP_WERROR)
  add_compile_options(-Werror)
endif()
add_compile_definitions(_FILE_OFFSET_BITS=64)
include_directories(${CMAKE_SOURCE_DIR}/src)

if(DMREMAP_SANITIZE)
  add_compile_options(-fsanitize=${DMREMAP_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${DMREMAP_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # GCC's null and uninitialised analyses misfire on instrumented code.
    add_compile_options(-Wno-null-dereference -Wno-maybe-uninitialized)
  endif()
endif()
if(DMREMAP_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(DMREMAP_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(NETTLE REQUIRED IMPORTED_TARGET nettle)
pkg_check_modules(FUSE REQUIRED IMPORTED_TARGET fuse3)
pkg_check_modules(BLKID REQUIRED IMPORTED_TARGET blkid)
pkg_check_modules(UDEV REQUIRED IMPORTED_TARGET libudev)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)

# Headers of others that nearly every file includes are compiled once. A file that leans on that and
# includes too little is found by the trees without (those with ccache) and by clang-tidy. ccache
# remembers files as a whole, and would have to be told to trust such headers: with it there are none.
option(DMREMAP_PRECOMPILE "precompile the headers that most files include" ON)
if("${CMAKE_CXX_COMPILER_LAUNCHER}" MATCHES "ccache")
  set(DMREMAP_PRECOMPILE OFF)
endif()
set(DMREMAP_COMMON_HEADERS <algorithm> <array> <atomic> <chrono> <cstdint> <cstring> <deque>
  <filesystem> <functional> <map> <memory> <mutex> <optional> <ranges> <span> <string> <string_view>
  <thread> <utility> <variant> <vector> <fmt/format.h> <tl/expected.hpp>)

# dmremap_precompiled(NAME HEADERS <a> ... [DEPENDS lib ...] [LIBRARY]): headers compiled once, with the
# flags of a program, or with LIBRARY those of dmremap_library.
function(dmremap_precompiled name)
  cmake_parse_arguments(ARG "LIBRARY" "" "HEADERS;DEPENDS" ${ARGN})
  if(NOT DMREMAP_PRECOMPILE)
    return()
  endif()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled/${name}.cpp CONTENT "")
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled/${name}.cpp)
  if(ARG_LIBRARY)
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON
      CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

# dmremap_use_precompiled(TARGET NAME)
function(dmremap_use_precompiled target name)
  if(TARGET ${name})
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()

find_package(nlohmann_json REQUIRED)
dmremap_precompiled(precompiled_library LIBRARY HEADERS ${DMREMAP_COMMON_HEADERS} DEPENDS fmt::fmt)
dmremap_precompiled(precompiled_json LIBRARY HEADERS ${DMREMAP_COMMON_HEADERS} <nlohmann/json.hpp>
  DEPENDS fmt::fmt nlohmann_json::nlohmann_json)
dmremap_precompiled(precompiled_program HEADERS ${DMREMAP_COMMON_HEADERS} DEPENDS fmt::fmt)
if(BUILD_TESTING)
  dmremap_precompiled(precompiled_test HEADERS ${DMREMAP_COMMON_HEADERS} <gtest/gtest.h>
    DEPENDS fmt::fmt GTest::gtest)
endif()

# dmremap_library(NAME SOURCES a.cpp ... [DEPENDS lib ...] [JSON]): one directory of src/ as a static library; with
# JSON most of its files include that.
# Any of them may end up in the nbdkit plugin; hidden, what they call of one another costs nothing more.
function(dmremap_library name)
  cmake_parse_arguments(ARG "JSON" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS})
  if(ARG_JSON)
    dmremap_use_precompiled(${name} precompiled_json)
  else()
    dmremap_use_precompiled(${name} precompiled_library)
  endif()
endfunction()

# What is installed, and nothing else: what `make build` builds (packaging/).
add_custom_target(product)

# All unit test programs; and those labelled `threads`, which are worth a build under
# ThreadSanitizer.
add_custom_target(unit_tests)
add_custom_target(thread_tests)

# dmremap_test(NAME SOURCES a_test.cpp ... DEPENDS lib ... [LABELS l ...] [DEFINITIONS A=b ...]
# [INCLUDES directory ...]): the unit tests of one directory as one program, every TEST known to ctest by
# its own name. No test takes more than 30 s on an idle machine, also under the sanitizers, and none is
# given less than ten times of that.
function(dmremap_test name)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LABELS;DEFINITIONS;INCLUDES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  # The rigs, tests/rig.
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE ${ARG_DEFINITIONS})
  target_include_directories(${name} PRIVATE ${ARG_INCLUDES})
  dmremap_use_precompiled(${name} precompiled_test)
  # One word: gtest_discover_tests takes a list apart into property names. ctest -L is a regex.
  string(JOIN "-" label unit ${ARG_LABELS})
  gtest_discover_tests(${name} PROPERTIES LABELS ${label} TIMEOUT 300
                       DISCOVERY_TIMEOUT 120)
  add_dependencies(unit_tests ${name})
  if("threads" IN_LIST ARG_LABELS)
    add_dependencies(thread_tests ${name})
  endif()
endfunction()

# dmremap_manual_of(PROGRAM SECTION [PAGES name.7=FILE ...]): its man pages and its completion, from what
# it says of itself, in build/manual/PROGRAM/; and pages that are made of documents.
function(dmremap_manual_of program section)
  cmake_parse_arguments(ARG "" "" "PAGES" ${ARGN})
  list(TRANSFORM ARG_PAGES REPLACE "^.*=" "" OUTPUT_VARIABLE documents)
  set(directory ${CMAKE_BINARY_DIR}/manual/${program})
  add_custom_command(
    OUTPUT ${directory}.stamp
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${directory}
    COMMAND ${CMAKE_SOURCE_DIR}/tools/manual $<TARGET_FILE:${program}> ${section} ${DMREMAP_DATE}
            ${directory} ${ARG_PAGES}
    COMMAND ${CMAKE_COMMAND} -E touch ${directory}.stamp
    DEPENDS ${program} ${CMAKE_SOURCE_DIR}/tools/manual ${CMAKE_SOURCE_DIR}/tools/completion.bash.in
            ${CMAKE_SOURCE_DIR}/tools/roff.py ${CMAKE_SOURCE_DIR}/tools/markdown.py ${documents}
    COMMENT "Making the manual of ${program}"
    VERBATIM)
  add_custom_target(manual_${program} ALL DEPENDS ${directory}.stamp)
  add_dependencies(product manual_${program})
  set_property(GLOBAL APPEND PROPERTY DMREMAP_MANUALS ${directory})
endfunction()
