// SPDX-License-Identifier: GPL-2.0-or-later
// A shared library that is loaded when it is needed, and not with the program: each verb would load
// it, and each process of a set would lock it into memory (os/process.hpp).
#pragma once

#include <dlfcn.h>

namespace dmremap::os {

// It stays loaded until the process ends.
class LoadedLibrary {
 public:
  // `file` is its name with the version of its interface, as "libz.so.1".
  explicit LoadedLibrary(const char* file) : handle_(::dlopen(file, RTLD_NOW | RTLD_LOCAL)) {}

  // Sets `function`, a pointer of the type that the library's header gives it. False if there is
  // none of that name, or no such library.
  template <typename Function>
  [[nodiscard]] bool find(const char* name, Function& function) const {
    if (handle_ == nullptr) return false;
    function = reinterpret_cast<Function>(::dlsym(handle_, name));
    return function != nullptr;
  }

 private:
  void* handle_;
};

}  // namespace dmremap::os
