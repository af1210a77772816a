// SPDX-License-Identifier: GPL-2.0-or-later
// What the two plugins for nbdkit tell it alike (nbdkit-plugin(3)).
#pragma once

#include <cerrno>
#include <cstdint>
#include <exception>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "frontend/nbd/nbd_disk.hpp"
#include "frontend/nbd/server_version.hpp"

// The most parallel thread model that a plugin can take, for NBDKIT_REGISTER_PLUGIN; the callback
// below may settle for less.
#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace dmremap::plugin {

inline bool has(std::uint32_t flags, std::uint32_t flag) {
  return (flags & flag) != 0;
}

inline nbd::ZeroOptions zero_options(std::uint32_t flags) {
  return {.may_trim = has(flags, NBDKIT_FLAG_MAY_TRIM),
          .fast = has(flags, NBDKIT_FLAG_FAST_ZERO),
          .fua = has(flags, NBDKIT_FLAG_FUA)};
}

// Does a client's request, which returns an errno. nbdkit is written in C, so no exception may
// leave a callback.
template <typename Request>
int answered(Request&& request) {
  int error = EIO;
  try {
    error = request();
  } catch (const std::exception&) {
    // Whatever was thrown is a failed request.
  }
  if (error == 0) return 0;
  nbdkit_set_error(error);
  return -1;
}

inline int tell_block_sizes(const nbd::BlockSizes& sizes, std::uint32_t* minimum,
                            std::uint32_t* preferred, std::uint32_t* maximum) {
  *minimum = sizes.minimum;
  *preferred = sizes.preferred;
  *maximum = sizes.maximum;
  return 0;
}

inline int yes(void* /*handle*/) {
  return 1;
}

inline int can_fua(void* /*handle*/) {
  return NBDKIT_FUA_NATIVE;
}

// Each connection has one thread if several would be dangerous. Connections are served side by side
// all the same, and a client that wants more opens several (multi-conn).
inline int thread_model() {
  try {
    return nbd::survives_lost_clients(nbd::server_version())
               ? NBDKIT_THREAD_MODEL_PARALLEL
               : NBDKIT_THREAD_MODEL_SERIALIZE_REQUESTS;
  } catch (const std::exception&) {
    return NBDKIT_THREAD_MODEL_SERIALIZE_REQUESTS;
  }
}

// All of the disk is data. A hole of main may be remapped, lost or gone, and none of these may be
// taken for zeros.
inline int extents(void* /*handle*/, std::uint32_t count, std::uint64_t offset,
                   std::uint32_t /*flags*/, nbdkit_extents* found) {
  return nbdkit_add_extent(found, offset, count, 0);
}

inline nbdkit_plugin common_table() {
  nbdkit_plugin table{};
  table.version = DMREMAP_VERSION;
  table.thread_model = thread_model;
  table.can_flush = yes;
  table.can_trim = yes;
  table.can_zero = yes;
  table.can_fast_zero = yes;
  table.can_extents = yes;
  table.can_fua = can_fua;
  // A flush reaches main and the spare, also for writes that came by another connection.
  table.can_multi_conn = yes;
  table.extents = extents;
  return table;
}

}  // namespace dmremap::plugin
