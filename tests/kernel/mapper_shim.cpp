// SPDX-License-Identifier: GPL-2.0-or-later
// For LD_PRELOAD: a process whose device mapper does not do as it says, for payloads that show that
// their checks can fail, and for crashes between two steps. What is wrong stands in the
// environment:
//
//   MAPPER_SHIM=no-drain       drains are answered at once, as if nothing were under way
//   MAPPER_SHIM=protocol       the target says that it speaks another protocol
//   MAPPER_SHIM=die-before:N   the process is killed before the Nth call that makes, changes or
//   removes
//                              a device, counted from 1
//   MAPPER_SHIM=die-after:N    ... after it
#include <atomic>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <linux/dm-ioctl.h>
#include <linux/ioctl.h>
#include <unistd.h>

namespace {

using Ioctl = int (*)(int, unsigned long, void*);

Ioctl real() {
  static const auto found = reinterpret_cast<Ioctl>(::dlsym(RTLD_NEXT, "ioctl"));
  return found;
}

const char* fault() {
  const char* const text = std::getenv("MAPPER_SHIM");
  return text == nullptr ? "" : text;
}

bool changes_a_device(unsigned long request) {
  return request == DM_DEV_CREATE || request == DM_TABLE_LOAD || request == DM_DEV_SUSPEND ||
         request == DM_DEV_REMOVE;
}

// True if the fault is `which`:N and this is the Nth call.
bool is_time(const char* which, int number) {
  const std::size_t length = std::strlen(which);
  return std::strncmp(fault(), which, length) == 0 && fault()[length] == ':' &&
         std::atoi(fault() + length + 1) == number;
}

char* message_of(dm_ioctl* call) {
  return reinterpret_cast<char*>(call) + sizeof(dm_ioctl) + sizeof(dm_target_msg);
}

int answer(dm_ioctl* call, const char* text) {
  call->data_start = sizeof(dm_ioctl);
  call->flags |= DM_DATA_OUT_FLAG;
  std::strcpy(reinterpret_cast<char*>(call) + call->data_start, text);
  return 0;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  if (request == DM_TARGET_MSG) {
    auto* const call = static_cast<dm_ioctl*>(argument);
    char instance[32] = "";
    if (std::strcmp(fault(), "no-drain") == 0 &&
        std::sscanf(message_of(call), "drain %*s %31s", instance) == 1) {
      char text[64];
      std::snprintf(text, sizeof text, "1 %s 0", instance);
      return answer(call, text);
    }
    if (std::strcmp(fault(), "protocol") == 0 && std::strcmp(message_of(call), "hello") == 0) {
      return answer(call, "2 00000000000000aa 64 2048");
    }
  }
  if (!changes_a_device(request)) return real()(fd, request, argument);
  static std::atomic<int> calls{0};
  const int number = ++calls;
  if (is_time("die-before", number)) ::raise(SIGKILL);
  const int done = real()(fd, request, argument);
  if (is_time("die-after", number)) ::raise(SIGKILL);
  return done;
}
