// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/fiber.hpp"

#include <cstdlib>
#include <cstring>
#include <utility>

#include <boost/context/protected_fixedsize_stack.hpp>
#include <cxxabi.h>

#ifdef __SANITIZE_ADDRESS__
#define DMREMAP_SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DMREMAP_SIM_ASAN 1
#endif
#endif

#ifdef DMREMAP_SIM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace dmremap::sim {

namespace {

namespace context = boost::context;

#ifdef DMREMAP_SIM_ASAN
constexpr std::size_t kStackBytes = std::size_t{1024} * 1024;  // red zones make frames large
#else
constexpr std::size_t kStackBytes = std::size_t{256} * 1024;
#endif

}  // namespace

Fiber::Fiber(std::function<void()> entry) : entry_(std::move(entry)) {
  stack_ = context::protected_fixedsize_stack(kStackBytes).allocate();
  context_ = context::detail::make_fcontext(stack_.sp, stack_.size, &Fiber::start);
  stack_bottom_ = static_cast<const std::byte*>(stack_.sp) - kStackBytes;
  stack_bytes_ = kStackBytes;
}

Fiber::~Fiber() {
  if (stack_.sp == nullptr) return;
#ifdef DMREMAP_SIM_ASAN
  // What is abandoned has left its marks, and the addresses are used again.
  ASAN_UNPOISON_MEMORY_REGION(stack_bottom_, stack_bytes_);
#endif
  context::protected_fixedsize_stack(kStackBytes).deallocate(stack_);
}

void Fiber::abandon() {
#ifdef DMREMAP_SIM_ASAN
  // The leak is meant: it stays in sight of the leak detector.
  __lsan_register_root_region(stack_bottom_, stack_bytes_);
  stack_.sp = nullptr;
#endif
}

void Fiber::switch_to(Fiber& from, Fiber& to) {
  void* const exceptions = abi::__cxa_get_globals();
  std::memcpy(from.exceptions_.data(), exceptions, from.exceptions_.size());
  std::memcpy(exceptions, to.exceptions_.data(), to.exceptions_.size());
  from.next_ = &to;
#ifdef DMREMAP_SIM_ASAN
  __sanitizer_start_switch_fiber(&from.fake_stack_, to.stack_bottom_, to.stack_bytes_);
#endif
  const auto transfer = context::detail::jump_fcontext(to.context_, &from);
  from.arrived(*static_cast<Fiber*>(transfer.data), transfer.fctx);
}

void Fiber::arrived(Fiber& from, context::detail::fcontext_t context) {
#ifdef DMREMAP_SIM_ASAN
  __sanitizer_finish_switch_fiber(fake_stack_, &from.stack_bottom_, &from.stack_bytes_);
#endif
  from.context_ = context;
}

void Fiber::start(context::detail::transfer_t transfer) {
  Fiber& from = *static_cast<Fiber*>(transfer.data);
  Fiber& self = *from.next_;
  self.arrived(from, transfer.fctx);
  self.entry_();
  std::abort();  // a fiber does not return: it leaves for another
}

}  // namespace dmremap::sim
