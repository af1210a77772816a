// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/microhttpd.hpp"

#include "os/loaded_library.hpp"

namespace dmremap::metrics {

namespace {

// The version of its interface that the header is of.
constexpr const char* kFile = "libmicrohttpd.so.12";

}  // namespace

Result<Microhttpd> Microhttpd::load() {
  const auto missing =
      fail(ErrorCode::not_supported, "HTTP is served by libmicrohttpd, which is not here", kFile,
           "install it (libmicrohttpd12), or use --textfile");
  const os::LoadedLibrary library(kFile);
  Microhttpd out;
  const bool complete =
      library.find("MHD_start_daemon", out.start_daemon) &&
      library.find("MHD_stop_daemon", out.stop_daemon) &&
      library.find("MHD_create_response_from_buffer", out.create_response_from_buffer) &&
      library.find("MHD_add_response_header", out.add_response_header) &&
      library.find("MHD_queue_response", out.queue_response) &&
      library.find("MHD_destroy_response", out.destroy_response);
  if (!complete) return missing;
  return out;
}

}  // namespace dmremap::metrics
