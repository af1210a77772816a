// SPDX-License-Identifier: GPL-2.0-or-later
#include "heap_count.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

#include <malloc.h>

namespace {

std::atomic<std::int64_t> live_bytes{0};
std::atomic<std::int64_t> taken_bytes{0};
std::atomic<std::int64_t> taken{0};

void* counted(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  const auto bytes = static_cast<std::int64_t>(::malloc_usable_size(memory));
  live_bytes.fetch_add(bytes, std::memory_order_relaxed);
  taken_bytes.fetch_add(bytes, std::memory_order_relaxed);
  taken.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

void give_back(void* memory) {
  const auto bytes = static_cast<std::int64_t>(::malloc_usable_size(memory));
  live_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(std::malloc(bytes));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  const auto step = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(step, (bytes + step - 1) / step * step));
}
void operator delete(void* memory) noexcept {
  give_back(memory);
}
void operator delete(void* memory, std::size_t /*bytes*/) noexcept {
  give_back(memory);
}
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept {
  give_back(memory);
}
void operator delete(void* memory, std::size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
  give_back(memory);
}

namespace dmremap::bench {

HeapCount heap_count() {
  return {live_bytes.load(), taken_bytes.load(), taken.load()};
}

}  // namespace dmremap::bench
