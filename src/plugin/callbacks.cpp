// SPDX-License-Identifier: GPL-2.0-or-later
// nbdkit-dmremap-plugin.so: the functions that nbdkit calls when it serves a set by itself.
#include <cstddef>
#include <exception>
#include <span>

#include "plugin/callback_table.hpp"
#include "plugin/plugin.hpp"

namespace dmremap::plugin {

namespace {

// It is never destroyed. When nbdkit goes to the background, the foreground process ends by
// exit(3), which must not release what the background process holds.
Plugin* plugin = nullptr;

// -1 and an error line for nbdkit, 0 otherwise.
int reported(const Result<void>& outcome) {
  if (outcome) return 0;
  nbdkit_error("%s", outcome.error().message().c_str());
  return -1;
}

// A step in the life of the server.
template <typename Step>
int step(Step&& step) {
  try {
    return reported(step());
  } catch (const std::exception& error) {
    return reported(fail(ErrorCode::internal, error.what(), {}, "report this"));
  }
}

remap::FlushHeard& heard_by(void* handle) {
  return static_cast<nbd::ConnectedClient*>(handle)->heard;
}

void load() {
  plugin = new Plugin;
}

int config(const char* key, const char* value) {
  return step([&] { return plugin->configure(key, value); });
}

int config_complete() {
  return step([] { return plugin->configured(); });
}

int get_ready() {
  return step([] { return plugin->check(); });
}

int after_fork() {
  return step([] { return plugin->bring_up(); });
}

void cleanup() {
  (void)step([]() -> Result<void> {
    plugin->bring_down();
    return {};
  });
}

void* open(int /*read_only*/) {
  try {
    if (auto* client = plugin->clients().enter(nbdkit_peer_pid())) {
      plugin->disk().connect(client->heard);
      return client;
    }
    nbdkit_error("the set is being stopped");
  } catch (const std::exception& error) {
    nbdkit_error("%s", error.what());
  }
  nbdkit_set_error(ESHUTDOWN);
  return nullptr;
}

void close(void* handle) {
  plugin->clients().leave(static_cast<nbd::ConnectedClient*>(handle));
}

std::int64_t get_size(void* /*handle*/) {
  return static_cast<std::int64_t>(plugin->disk().size_bytes());
}

int block_size(void* /*handle*/, std::uint32_t* minimum, std::uint32_t* preferred,
               std::uint32_t* maximum) {
  return tell_block_sizes(plugin->disk().block_sizes(), minimum, preferred, maximum);
}

int can_write(void* /*handle*/) {
  return plugin->read_only() ? 0 : 1;
}

int pread(void* /*handle*/, void* buffer, std::uint32_t count, std::uint64_t offset,
          std::uint32_t /*flags*/) {
  const std::span<std::byte> out(static_cast<std::byte*>(buffer), count);
  return answered([&] { return plugin->disk().read(offset, out); });
}

int pwrite(void* /*handle*/, const void* buffer, std::uint32_t count, std::uint64_t offset,
           std::uint32_t flags) {
  const std::span<const std::byte> data(static_cast<const std::byte*>(buffer), count);
  const bool fua = has(flags, NBDKIT_FLAG_FUA);
  return answered([&] { return plugin->disk().write(offset, data, fua); });
}

int flush(void* handle, std::uint32_t /*flags*/) {
  return answered([&] { return plugin->disk().flush(heard_by(handle)); });
}

int trim(void* handle, std::uint32_t count, std::uint64_t offset, std::uint32_t flags) {
  const bool fua = has(flags, NBDKIT_FLAG_FUA);
  return answered([&] { return plugin->disk().trim(offset, count, fua, heard_by(handle)); });
}

int zero(void* handle, std::uint32_t count, std::uint64_t offset, std::uint32_t flags) {
  const nbd::ZeroOptions wanted = zero_options(flags);
  return answered([&] { return plugin->disk().zero(offset, count, wanted, heard_by(handle)); });
}

constexpr const char* kHelp =
    "[device=]DEVICE|NAME      (required) the set's devices in any order, with a '/' in each,\n"
    "                          or its name\n"
    "read-only=true            write nothing, anywhere\n"
    "main-read-only=true       main takes no writes: they go to the spare\n"
    "stale-ok=true             with read-only: serve a doubtful or forked set too\n"
    "accept-main-changed=true  start although main was changed since the last stop\n"
    "accept-main=PATH  this is main, though what is recorded cannot prove it";

nbdkit_plugin described() {
  nbdkit_plugin table = common_table();
  table.name = "dmremap";
  table.longname = "dm-remap: a disk whose bad sectors live on a spare";
  table.description = "Serves a dm-remap set; see `dmremap create`.";
  table.config_help = kHelp;
  table.magic_config_key = "device";
  table.load = load;
  table.config = config;
  table.config_complete = config_complete;
  table.get_ready = get_ready;
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
