// SPDX-License-Identifier: GPL-2.0-or-later
// libmicrohttpd, loaded when it is needed.
//
// It brings GnuTLS and eight more libraries, 7 MB, with it. Linked, each `dmremap list` would load
// them, and each process of a set would lock them into memory for as long as it runs
// (os/process.hpp).
#pragma once

#include <microhttpd.h>

#include "base/result.hpp"

namespace dmremap::metrics {

// The functions that are used, by their names without MHD_.
struct Microhttpd {
  decltype(&::MHD_start_daemon) start_daemon = nullptr;
  decltype(&::MHD_stop_daemon) stop_daemon = nullptr;
  decltype(&::MHD_create_response_from_buffer) create_response_from_buffer = nullptr;
  decltype(&::MHD_add_response_header) add_response_header = nullptr;
  decltype(&::MHD_queue_response) queue_response = nullptr;
  decltype(&::MHD_destroy_response) destroy_response = nullptr;

  // Stays loaded until the process ends. Error not_supported: it is not installed.
  [[nodiscard]] static Result<Microhttpd> load();
};

}  // namespace dmremap::metrics
