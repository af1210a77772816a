// SPDX-License-Identifier: GPL-2.0-or-later
// nbdkit-dmremap-relay-plugin.so: the functions that nbdkit calls when it serves the set of another
// process.
#include <cstddef>
#include <exception>
#include <span>

#include "plugin/callback_table.hpp"
#include "plugin/relay.hpp"

namespace dmremap::plugin {

namespace {

using Operation = nbd::RelayRequest::Operation;

Relay* relay = nullptr;  // never destroyed

template <typename Step>
int step(Step&& step) {
  try {
    const Result<void> outcome = step();
    if (outcome) return 0;
    nbdkit_error("%s", outcome.error().message().c_str());
  } catch (const std::exception& error) {
    nbdkit_error("%s", error.what());
  }
  return -1;
}

nbd::RelayConnection& connection(void* handle) {
  return *static_cast<nbd::RelayConnection*>(handle);
}

void load() {
  relay = new Relay;
}

int config(const char* key, const char* value) {
  return step([&] { return relay->configure(key, value); });
}

int config_complete() {
  return step([] { return relay->configured(); });
}

int after_fork() {
  return step([] { return relay->begin(); });
}

void cleanup() {
  (void)step([]() -> Result<void> {
    relay->end();
    return {};
  });
}

void* open(int /*read_only*/) {
  int error = ESHUTDOWN;
  try {
    auto made = relay->client().connect(nbdkit_peer_pid());
    if (made) return made->release();
    error = made.error();
  } catch (const std::exception&) {
    // As if the set were being stopped.
  }
  nbdkit_error(error == EAGAIN ? "too many clients are connected" : "the set is being stopped");
  nbdkit_set_error(error);
  return nullptr;
}

void close(void* handle) {
  delete &connection(handle);
}

std::int64_t get_size(void* /*handle*/) {
  return static_cast<std::int64_t>(relay->client().disk().size_bytes);
}

int block_size(void* /*handle*/, std::uint32_t* minimum, std::uint32_t* preferred,
               std::uint32_t* maximum) {
  return tell_block_sizes(relay->client().disk().sizes, minimum, preferred, maximum);
}

int can_write(void* /*handle*/) {
  return relay->client().disk().read_only ? 0 : 1;
}

int pread(void* handle, void* buffer, std::uint32_t count, std::uint64_t offset,
          std::uint32_t /*flags*/) {
  const std::span<std::byte> out(static_cast<std::byte*>(buffer), count);
  return answered([&] { return connection(handle).read(offset, out); });
}

int pwrite(void* handle, const void* buffer, std::uint32_t count, std::uint64_t offset,
           std::uint32_t flags) {
  const std::span<const std::byte> data(static_cast<const std::byte*>(buffer), count);
  const bool fua = has(flags, NBDKIT_FLAG_FUA);
  return answered([&] { return connection(handle).write(offset, data, fua); });
}

int flush(void* handle, std::uint32_t /*flags*/) {
  nbd::RelayRequest request;
  request.operation = Operation::flush;
  return answered([&] { return connection(handle).request(request); });
}

int trim(void* handle, std::uint32_t count, std::uint64_t offset, std::uint32_t flags) {
  nbd::RelayRequest request;
  request.operation = Operation::trim;
  request.flags = has(flags, NBDKIT_FLAG_FUA) ? nbd::RelayRequest::kFua : 0U;
  request.offset = offset;
  request.length = count;
  return answered([&] { return connection(handle).request(request); });
}

int zero(void* handle, std::uint32_t count, std::uint64_t offset, std::uint32_t flags) {
  const nbd::ZeroOptions wanted = zero_options(flags);
  nbd::RelayRequest request;
  request.operation = Operation::zero;
  request.flags = (wanted.fua ? nbd::RelayRequest::kFua : 0U) |
                  (wanted.may_trim ? nbd::RelayRequest::kMayTrim : 0U) |
                  (wanted.fast ? nbd::RelayRequest::kFastZero : 0U);
  request.offset = offset;
  request.length = count;
  return answered([&] { return connection(handle).request(request); });
}

nbdkit_plugin described() {
  nbdkit_plugin table = common_table();
  table.name = "dmremap-relay";
  table.longname = "dm-remap: a set that another process runs";
  table.description = "Started by `dmremap start --export nbd`; not for use by hand.";
  table.config_help = "control-fd=N  (required) how the process of the set is reached";
  table.load = load;
  table.config = config;
  table.config_complete = config_complete;
  table.after_fork = after_fork;
  table.cleanup = cleanup;
  table.open = open;
  table.close = close;
  table.get_size = get_size;
  table.block_size = block_size;
  table.can_write = can_write;
  table.pread = pread;
  table.pwrite = pwrite;
  table.flush = flush;
  table.trim = trim;
  table.zero = zero;
  return table;
}

nbdkit_plugin table = described();

}  // namespace

NBDKIT_REGISTER_PLUGIN(table)

}  // namespace dmremap::plugin
