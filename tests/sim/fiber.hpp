// SPDX-License-Identifier: GPL-2.0-or-later
// Control flows of one thread that hand over to each other by name.
#pragma once

#include <array>
#include <cstddef>
#include <functional>

#include <boost/context/detail/fcontext.hpp>
#include <boost/context/stack_context.hpp>

namespace dmremap::sim {

// Built on the plain switch below boost::context::fiber, which unwinds what is destroyed before its
// end: here that is abandoned, as nothing of it may run again once a world has failed.
class Fiber {
 public:
  Fiber() = default;  // stands for the flow that is running already
  // `entry` begins at the first switch here, on a stack of its own with a guard page, and never
  // returns.
  explicit Fiber(std::function<void()> entry);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // It never goes on, and what its frames own is never freed.
  void abandon();

  // Goes on in `to`; returns when something switches back to `from`, which is the caller's.
  static void switch_to(Fiber& from, Fiber& to);

 private:
  static void start(boost::context::detail::transfer_t transfer);
  void arrived(Fiber& from, boost::context::detail::fcontext_t context);

  boost::context::detail::fcontext_t context_ = nullptr;
  boost::context::stack_context stack_;
  std::function<void()> entry_;
  Fiber* next_ = nullptr;
  // The runtime keeps the exceptions in flight for each thread; here they belong to a fiber.
  std::array<std::byte, 2 * sizeof(void*)> exceptions_{};
  // What AddressSanitizer wants to know of a stack.
  [[maybe_unused]] void* fake_stack_ = nullptr;
  const void* stack_bottom_ = nullptr;
  std::size_t stack_bytes_ = 0;
};

}  // namespace dmremap::sim
