// SPDX-License-Identifier: GPL-2.0-or-later
// One queue of a ublk disk: its thread, its ring, its requests. Internal to Server.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "ublk/abi.hpp"
#include "ublk/buffer_pool.hpp"
#include "ublk/handler.hpp"

struct io_uring;
struct io_uring_sqe;
struct io_uring_cqe;

namespace dmremap::ublk {

// Up to Linux 6.12 the kernel takes fetches and commits of a queue from one thread only, the one
// that fetched first. So everything but Request::answer() happens on that thread: it begins
// requests, submits direct ones in its ring, and commits. Other threads put their answers into a
// list and wake it by an eventfd that the ring reads.
//
// A request that is killed with the process at any point has not been committed: the kernel keeps
// it and sends it again to the next server. What it did to the device below by then may be all of
// it, a part or nothing, as with a disk whose power fails.
class Queue final : private BufferPool::Waiter {
 public:
  // All outlive the queue.
  struct Place {
    Handler& handler;
    BufferPool& buffers;
    int character = -1;  // /dev/ublkcN
    int ended = -1;      // an eventfd that is raised when the thread ends
    unsigned index = 0;
    unsigned depth = 0;
  };

  explicit Queue(const Place& place);
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue();  // as leave()

  // Starts the thread; returns when it has fetched every tag, so that the device can be started.
  [[nodiscard]] Result<void> start();
  // Ends the thread and waits for it and for its direct requests. If the device is live, it becomes
  // quiesced.
  //
  // The ring is closed by the caller, when the thread is gone. In Linux 6.12 the kernel hands what
  // the thread had not fetched yet to the thread itself, if that lives on while its ring is closed:
  // such a request counts as fetched after the fetched ones were taken back. Nobody has it then;
  // the device is never quiesced, and every command to it waits for that. What cannot be handed to
  // a thread that has ended is taken back, as after a kill.
  void leave();

 private:
  friend class Request;

  // A direct request under way. The device may be slower than the patience of the request: then the
  // kernel may send another one with the same tag meanwhile.
  struct Direct {
    std::size_t index = 0;  // in directs_
    Request* request = nullptr;
    std::uint32_t generation = 0;
    Step step;
    bool writes = false;
    std::span<std::byte> rest;  // not moved yet
    unsigned retries = 0;
  };
  struct Answer {
    std::uint16_t tag = 0;
    int error = 0;
  };

  // Another thread than the queue's, which has ended.
  void close_ring();

  // Any thread.
  void answered(const Request& request, int error);
  void memory_may_be_there() override;
  void wake();
  int copy_to_kernel(const Request& request) const;

  // The queue's thread.
  int set_up();
  void run(std::promise<int> ready);
  void let_go_of_ring();
  void serve();
  void handle(const io_uring_cqe& done);
  void begin(unsigned tag);
  bool get_memory(Request& request);
  void hand_over(Request& request);
  void retry_waiting();
  void take(Request& request, const Step& step);
  void commit(Request& request, int error);
  void tell_of_flushes();
  void submit(Direct& direct);
  void direct_ended(Direct& direct, int result);
  void take_answers();
  void read_wake();
  [[nodiscard]] int copy_from_kernel(const Request& request) const;
  [[nodiscard]] io_uring_sqe& entry();
  [[nodiscard]] int submit_entries();
  void queue_command(std::uint32_t operation, unsigned tag, int result);

  const Place place_;
  std::unique_ptr<io_uring> ring_;
  bool ring_made_ = false;
  bool character_is_fixed_ = false;  // /dev/ublkcN is file 0 of the ring
  bool buffers_are_fixed_ = false;   // all of the pool's memory is buffer 0 of the ring
  const abi::RequestDescriptor* descriptors_ = nullptr;
  std::vector<Request> requests_;  // by tag
  std::deque<Direct> directs_;     // never moved
  std::vector<Direct*> free_directs_;
  std::vector<unsigned> waiting_tags_;  // for memory
  std::vector<Answer> taken_;           // being committed
  std::vector<std::uint32_t> flushes_;  // slots of those committed and not submitted yet
  std::uint64_t wakes_ = 0;             // where the ring puts the eventfd's count
  bool answered_here_ = false;          // by the queue's thread itself, since it looked last
  unsigned tags_ended_ = 0;
  std::size_t directs_under_way_ = 0;

  FileDescriptor wake_;
  std::mutex mutex_;  // guards the two below
  std::vector<Answer> answers_;
  bool woken_ = false;
  std::atomic<bool> leaving_{false};
  std::atomic<std::thread::id> thread_id_{};
  std::thread thread_;
};

}  // namespace dmremap::ublk
