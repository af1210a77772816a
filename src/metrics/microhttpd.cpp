// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/microhttpd.hpp"

#include <dlfcn.h>

namespace dmremap::metrics {

namespace {

// The version of its interface that the header is of.
constexpr const char* kFile = "libmicrohttpd.so.12";

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr;
}

}  // namespace

Result<Microhttpd> Microhttpd::load() {
  const auto missing =
      fail(ErrorCode::not_supported, "HTTP is served by libmicrohttpd, which is not here", kFile,
           "install it (libmicrohttpd12), or use --textfile");
  void* const library = ::dlopen(kFile, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return missing;
  Microhttpd out;
  const bool complete =
      find(library, "MHD_start_daemon", out.start_daemon) &&
      find(library, "MHD_stop_daemon", out.stop_daemon) &&
      find(library, "MHD_create_response_from_buffer", out.create_response_from_buffer) &&
      find(library, "MHD_add_response_header", out.add_response_header) &&
      find(library, "MHD_queue_response", out.queue_response) &&
      find(library, "MHD_destroy_response", out.destroy_response);
  if (!complete) return missing;
  return out;
}

}  // namespace dmremap::metrics
