// SPDX-License-Identifier: GPL-2.0-or-later
#include "ublk/queue.hpp"

#include <cerrno>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <liburing.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/log.hpp"
#include "ublk/queue_command.hpp"

namespace dmremap::ublk {

namespace {

// What a completion is about: the low bits of its user data.
constexpr std::uint64_t kKindMask = 3;
constexpr std::uint64_t kKindTag = 0;     // the rest is the tag
constexpr std::uint64_t kKindWake = 1;    // the eventfd
constexpr std::uint64_t kKindDirect = 2;  // the rest is the index of a Direct

// A ring may give a transfer back untried when it is short of memory.
constexpr unsigned kRetriesMax = 8;
constexpr int kErrnoMax = 4095;

Operation operation_of(std::uint32_t operation) {
  switch (operation) {
    case abi::kRead:
      return Operation::read;
    case abi::kWrite:
      return Operation::write;
    case abi::kFlush:
      return Operation::flush;
    case abi::kDiscard:
      return Operation::discard;
    default:
      return Operation::write_zeroes;
  }
}

bool is_known(std::uint32_t operation) {
  return operation <= abi::kDiscard || operation == abi::kWriteZeroes;
}

// The calling thread runs as soon as it has something to do, whatever else wants the processor: as
// the drivers of the kernel do, whose part it plays. What programs compute does not delay the
// disk, and to switch to it and back costs the scheduler a third. The lowest of the real-time
// priorities is enough; what the thread starts in the kernel for slow work (io_uring's workers)
// has none. Where it is not allowed all works the same.
void run_before_programs() {
  const sched_param lowest{.sched_priority = ::sched_get_priority_min(SCHED_FIFO)};
  static_cast<void>(::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest));
}

// The kernel is short of memory: what frees some must get the processor, which this thread would
// keep from it.
void wait_for_kernel_memory() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

bool has_data(const Request& request) {
  return request.operation() == Operation::read || request.operation() == Operation::write;
}

}  // namespace

void Request::answer(int error) {
  if (error == 0 && operation_ == Operation::read) error = queue_->copy_to_kernel(*this);
  queue_->answered(*this, error);
}

BufferPool::Lease Request::answer_early(int error) {
  DMREMAP_ASSERT(error != 0);
  BufferPool::Lease lease = std::move(lease_);
  queue_->answered(*this, error);
  return lease;
}

Queue::Queue(const Place& place)
    : place_(place), ring_(std::make_unique<io_uring>()), requests_(place.depth) {
  for (unsigned tag = 0; tag < place.depth; ++tag) {
    requests_[tag].queue_ = this;
    requests_[tag].tag_ = static_cast<std::uint16_t>(tag);
    requests_[tag].slot_ = place.index * place.depth + tag;
  }
  // Nothing is allocated while requests are served: a process that serves its own memory's disk
  // could wait for itself.
  answers_.reserve(place.depth);
  taken_.reserve(place.depth);
  flushes_.reserve(place.depth);
  waiting_tags_.reserve(place.depth);
  directs_.resize(place.depth);
  free_directs_.reserve(place.depth);
  for (std::size_t i = 0; i < directs_.size(); ++i) {
    directs_[i].index = i;
    free_directs_.push_back(&directs_[i]);
  }
}

Queue::~Queue() {
  leave();
}

Result<void> Queue::start() {
  wake_ = FileDescriptor(::eventfd(0, EFD_CLOEXEC));
  if (!wake_.valid()) return fail_errno(errno, "make an eventfd", "ublk");
  std::promise<int> ready;
  auto error = ready.get_future();
  thread_ = std::thread([this, told = std::move(ready)]() mutable { run(std::move(told)); });
  const int failed = error.get();
  if (failed == 0) return {};
  thread_.join();
  close_ring();
  return fail_errno(failed, "serve a queue of the ublk device",
                    fmt::format("queue {}", place_.index));
}

void Queue::leave() {
  if (!thread_.joinable()) return;
  leaving_ = true;
  wake();
  thread_.join();
  close_ring();
}

// Cancels the fetches: the kernel sees that the queue has no server any more.
void Queue::close_ring() {
  if (std::exchange(ring_made_, false)) io_uring_queue_exit(ring_.get());
}

void Queue::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = ::write(wake_.get(), &one, sizeof one);
}

// ---- any thread ----

void Queue::answered(const Request& request, int error) {
  const bool own_thread = std::this_thread::get_id() == thread_id_.load(std::memory_order_relaxed);
  bool must_wake = false;
  {
    const std::lock_guard lock(mutex_);
    answers_.push_back({request.tag_, error});
    // The queue's thread looks at the list before it waits.
    must_wake = !woken_ && !own_thread;
    woken_ = woken_ || must_wake;
  }
  if (own_thread) answered_here_ = true;
  if (must_wake) wake();
}

void Queue::memory_may_be_there() {
  // The queue's thread asks again before it waits; it needs to be woken by the others only.
  if (std::this_thread::get_id() != thread_id_.load(std::memory_order_relaxed)) wake();
}

int Queue::copy_to_kernel(const Request& request) const {
  const std::span<const std::byte> data = request.data();
  const auto at = static_cast<off_t>(abi::data_offset(place_.index, request.tag_));
  const ssize_t put = ::pwrite(place_.character, data.data(), data.size(), at);
  if (put < 0) return errno;
  return static_cast<std::size_t>(put) == data.size() ? 0 : EIO;
}

// ---- the queue's thread ----

int Queue::copy_from_kernel(const Request& request) const {
  const std::span<std::byte> data = request.data();
  const auto at = static_cast<off_t>(abi::data_offset(place_.index, request.tag_));
  const ssize_t got = ::pread(place_.character, data.data(), data.size(), at);
  if (got < 0) return errno;
  return static_cast<std::size_t>(got) == data.size() ? 0 : EIO;
}

io_uring_sqe& Queue::entry() {
  io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
  while (entry == nullptr) {
    // The ring's submission side is full: the kernel takes it over as a whole.
    static_cast<void>(submit_entries());
    entry = io_uring_get_sqe(ring_.get());
  }
  return *entry;
}

// 0 if the kernel has all entries, or an errno.
int Queue::submit_entries() {
  while (io_uring_sq_ready(ring_.get()) != 0) {
    const int submitted = io_uring_submit(ring_.get());
    if (submitted == -EAGAIN) {
      wait_for_kernel_memory();
    } else if (submitted < 0 && submitted != -EINTR) {
      return -submitted;
    }
  }
  return 0;
}

void Queue::queue_command(std::uint32_t operation, unsigned tag, int result) {
  io_uring_sqe& sqe = entry();
  prepare(sqe, character_is_fixed_ ? 0 : place_.character, operation,
          {.queue = static_cast<std::uint16_t>(place_.index),
           .tag = static_cast<std::uint16_t>(tag),
           .result = result});
  sqe.flags = character_is_fixed_ ? IOSQE_FIXED_FILE : 0;
  sqe.user_data = (std::uint64_t{tag} << 2) | kKindTag;
}

void Queue::read_wake() {
  io_uring_sqe& sqe = entry();
  io_uring_prep_read(&sqe, wake_.get(), &wakes_, sizeof wakes_, 0);
  sqe.user_data = kKindWake;
}

// 0, or an errno. A kill up to here leaves the device as it was: dead if it is new, quiesced if it
// is being taken over.
int Queue::set_up() {
  io_uring_params params{};
  params.flags =
      IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  // Each tag may have a commit and a direct request in the ring, and there is the eventfd.
  const int made = io_uring_queue_init_params(2 * place_.depth + 1, ring_.get(), &params);
  if (made < 0) return -made;
  ring_made_ = true;
  // Each saves the kernel work for every request: a look into the process's table of files, or the
  // search for the pages of a buffer. Without them all works the same.
  static_cast<void>(io_uring_register_ring_fd(ring_.get()));
  character_is_fixed_ = io_uring_register_files(ring_.get(), &place_.character, 1) == 0;
  const std::span<std::byte> memory = place_.buffers.memory();
  const iovec all{.iov_base = memory.data(), .iov_len = memory.size()};
  buffers_are_fixed_ = io_uring_register_buffers(ring_.get(), &all, 1) == 0;
  void* const mapped =
      ::mmap(nullptr, abi::descriptors_bytes(place_.depth), PROT_READ, MAP_SHARED | MAP_POPULATE,
             place_.character, static_cast<off_t>(abi::descriptors_offset(place_.index)));
  if (mapped == MAP_FAILED) return errno;
  descriptors_ = static_cast<const abi::RequestDescriptor*>(mapped);
  // All with one system call: SIGKILL does not come in between. The kernel could not get rid of a
  // queue with some of its tags fetched.
  for (unsigned tag = 0; tag < place_.depth; ++tag) queue_command(abi::kFetch, tag, 0);
  if (const int failed = submit_entries(); failed != 0) return failed;
  // A fetch that the kernel refuses ends at once; one that it took ends with a request, which there
  // cannot be yet. Starting a device with a tag missing would wait for ever.
  io_uring_cqe* refused = nullptr;
  if (io_uring_peek_cqe(ring_.get(), &refused) == 0) return refused->res < 0 ? -refused->res : EIO;
  read_wake();
  return 0;
}

void Queue::run(std::promise<int> ready) {
  thread_id_ = std::this_thread::get_id();
  run_before_programs();
  const int failed = set_up();
  ready.set_value(failed);
  if (failed == 0) serve();
  place_.buffers.forget(*this);
  let_go_of_ring();
  const std::uint64_t one = 1;
  if (failed == 0) {
    [[maybe_unused]] const ssize_t put = ::write(place_.ended, &one, sizeof one);
  }
}

// What only the queue's thread may undo.
void Queue::let_go_of_ring() {
  if (ring_made_) static_cast<void>(io_uring_unregister_ring_fd(ring_.get()));
  if (descriptors_ == nullptr) return;
  ::munmap(const_cast<abi::RequestDescriptor*>(descriptors_), abi::descriptors_bytes(place_.depth));
}

void Queue::serve() {
  // All tags end when the device is stopped. Direct requests that were answered early are waited
  // for then, too: their memory is the pool's.
  while (directs_under_way_ != 0 || (!leaving_ && tags_ended_ < place_.depth)) {
    // Again if the handler has answered something meanwhile, on this thread: nothing would wake it
    // for that.
    do {
      answered_here_ = false;
      take_answers();
      retry_waiting();
      tell_of_flushes();
    } while (answered_here_);
    const int waited = io_uring_submit_and_wait(ring_.get(), 1);
    if (waited == -EAGAIN) wait_for_kernel_memory();
    if (waited < 0 && waited != -EINTR && waited != -EAGAIN && waited != -EBUSY) {
      log(Severity::error,
          fmt::format("ublk queue {}: the ring fails: {}", place_.index, errno_text(-waited)));
      return;
    }
    io_uring_cqe* done = nullptr;
    while (io_uring_peek_cqe(ring_.get(), &done) == 0) {
      const io_uring_cqe copy{.user_data = done->user_data, .res = done->res, .flags = done->flags};
      io_uring_cqe_seen(ring_.get(), done);
      handle(copy);
    }
  }
  // What was answered before the queue leaves is told; a kernel that is not told asks again.
  take_answers();
  static_cast<void>(submit_entries());
}

void Queue::handle(const io_uring_cqe& done) {
  const std::uint64_t rest = done.user_data & ~kKindMask;
  switch (done.user_data & kKindMask) {
    case kKindWake:
      read_wake();
      return;
    case kKindDirect:
      direct_ended(directs_[rest >> 2], done.res);
      return;
    default:
      break;
  }
  const auto tag = static_cast<unsigned>(rest >> 2);
  if (done.res == 0) {
    begin(tag);
    return;
  }
  // ENODEV: the device is being stopped. Anything else is a mistake of ours: the tag is lost, and
  // the queue lives on with the others.
  if (done.res != -ENODEV) {
    log(Severity::error,
        fmt::format("ublk queue {}: tag {} is lost: {}", place_.index, tag, errno_text(-done.res)));
  }
  ++tags_ended_;
}

void Queue::begin(unsigned tag) {
  const abi::RequestDescriptor& descriptor = descriptors_[tag];
  const std::uint32_t operation = descriptor.operation_and_flags & abi::kOperationMask;
  Request& request = requests_[tag];
  request.operation_ = operation_of(operation);
  request.fua_ = (descriptor.operation_and_flags & abi::kFlagFua) != 0;
  request.may_unmap_ = (descriptor.operation_and_flags & abi::kFlagNoUnmap) == 0;
  request.range_ = request.operation_ == Operation::flush
                       ? SectorRange{}
                       : SectorRange{{descriptor.first_sector}, {descriptor.sectors}};
  if (!is_known(operation)) {
    commit(request, EOPNOTSUPP);
    return;
  }
  if (!has_data(request)) {
    take(request, place_.handler.begin(request));
    return;
  }
  if (waiting_tags_.empty() && get_memory(request)) {
    hand_over(request);
  } else {
    waiting_tags_.push_back(tag);
  }
}

bool Queue::get_memory(Request& request) {
  request.lease_ = place_.buffers.take(request.range_.count.bytes(), *this);
  return !request.lease_.empty();
}

// In order of arrival, as far as there is memory.
void Queue::retry_waiting() {
  std::size_t served = 0;
  while (served < waiting_tags_.size() && get_memory(requests_[waiting_tags_[served]])) {
    hand_over(requests_[waiting_tags_[served]]);
    ++served;
  }
  waiting_tags_.erase(waiting_tags_.begin(),
                      waiting_tags_.begin() + static_cast<std::ptrdiff_t>(served));
}

void Queue::hand_over(Request& request) {
  const int error = request.operation_ == Operation::write ? copy_from_kernel(request) : 0;
  if (error != 0) {
    commit(request, error);
    return;
  }
  take(request, place_.handler.begin(request));
}

void Queue::take(Request& request, const Step& step) {
  switch (step.kind) {
    case Step::Kind::later:
      return;
    case Step::Kind::answered: {
      const bool filled = step.error == 0 && request.operation_ == Operation::read;
      commit(request, filled ? copy_to_kernel(request) : step.error);
      return;
    }
    case Step::Kind::direct:
      break;
  }
  // More than one for each tag only if a slow device still has those of requests that were answered
  // early.
  if (free_directs_.empty()) {
    free_directs_.push_back(&directs_.emplace_back());
    free_directs_.back()->index = directs_.size() - 1;
  }
  Direct& direct = *free_directs_.back();
  free_directs_.pop_back();
  direct = {.index = direct.index,
            .request = &request,
            .generation = request.generation_,
            .step = step,
            .writes = request.operation_ == Operation::write,
            .rest = request.data(),
            .retries = 0};
  ++directs_under_way_;
  submit(direct);
}

void Queue::submit(Direct& direct) {
  io_uring_sqe& sqe = entry();
  const auto bytes = static_cast<unsigned>(direct.rest.size());
  if (direct.writes) {
    io_uring_prep_write(&sqe, direct.step.fd, direct.rest.data(), bytes, direct.step.offset);
    if (direct.step.durable) sqe.rw_flags = RWF_DSYNC;
  } else {
    io_uring_prep_read(&sqe, direct.step.fd, direct.rest.data(), bytes, direct.step.offset);
  }
  if (buffers_are_fixed_) {
    sqe.opcode = direct.writes ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED;
    sqe.buf_index = 0;
  }
  sqe.user_data = (std::uint64_t{direct.index} << 2) | kKindDirect;
}

void Queue::direct_ended(Direct& direct, int result) {
  const bool current = direct.generation == direct.request->generation_;
  const bool untried = result == -EINTR || result == -EAGAIN;
  if (result > 0) {
    direct.rest = direct.rest.subspan(static_cast<std::size_t>(result));
    direct.step.offset += static_cast<std::uint64_t>(result);
  }
  const bool unfinished = (untried && ++direct.retries < kRetriesMax) || result > 0;
  if (current && unfinished && !direct.rest.empty()) {
    submit(direct);
    return;
  }
  const int error = result < 0 ? -result : direct.rest.empty() ? 0 : EIO;
  Request* const request = current ? direct.request : nullptr;
  void* const cookie = direct.step.cookie;
  free_directs_.push_back(&direct);
  --directs_under_way_;
  const Step step = place_.handler.direct_done(request, cookie, error);
  if (request != nullptr) take(*request, step);
}

void Queue::take_answers() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = false;
    std::swap(answers_, taken_);
  }
  for (const Answer& answer : taken_) commit(requests_[answer.tag], answer.error);
  taken_.clear();
}

// Submits what there is, for what waits for the word that its flush is answered may be all that
// would make the ring wake up.
void Queue::tell_of_flushes() {
  if (flushes_.empty() || submit_entries() != 0) return;
  for (const std::uint32_t slot : flushes_) place_.handler.flush_told(slot);
  flushes_.clear();
}

// When the ring is submitted next the kernel knows the answer; a kill before that is a request that
// is sent again.
void Queue::commit(Request& request, int error) {
  const int bytes = static_cast<int>(has_data(request) ? request.range_.count.bytes() : 0);
  request.lease_.drop();
  ++request.generation_;
  if (request.operation_ == Operation::flush) flushes_.push_back(request.slot_);
  const bool valid = error >= 0 && error <= kErrnoMax;
  queue_command(abi::kCommitAndFetch, request.tag_, error == 0 ? bytes : valid ? -error : -EIO);
}

}  // namespace dmremap::ublk
