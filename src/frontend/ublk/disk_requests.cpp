// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/ublk/disk_requests.hpp"

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "base/assert.hpp"
#include "table/snapshot.hpp"

namespace dmremap::frontend {

using ublk::Operation;
using ublk::Step;

namespace {

using std::chrono::steady_clock;

// Between two looks whether all has ended. Those who end requests tell nobody: after the last word
// of a request there may be nothing left to tell it with.
constexpr std::chrono::milliseconds kLookEvery{1};

remap::Request::Kind kind_of(Operation operation) {
  switch (operation) {
    case Operation::read:
      return remap::Request::Kind::read;
    case Operation::write:
      return remap::Request::Kind::write;
    case Operation::write_zeroes:
      return remap::Request::Kind::zeroes;
    case Operation::discard:
      return remap::Request::Kind::discard;
    case Operation::flush:
      break;
  }
  return remap::Request::Kind::flush;
}

bool changes_disk(Operation operation) {
  return operation != Operation::read && operation != Operation::flush;
}

// The errno for the kernel: EIO for every error, because a user of a disk expects no other. But
// zeroes that cannot be written as such the kernel writes as data, and to a discard that nobody can
// do nothing is owed.
int upward(remap::Request::Kind kind, io::IoStatus status) {
  if (status.ok()) return 0;
  if (status.error != EOPNOTSUPP) return EIO;
  if (kind == remap::Request::Kind::zeroes) return EOPNOTSUPP;
  return kind == remap::Request::Kind::discard ? 0 : EIO;
}

}  // namespace

// One request, from begin() until it has been answered and no device has it any more.
class DiskRequests::State final : public remap::Completion, public remap::TimedCaller {
 public:
  State(DiskRequests& its_owner, remap::Disk& disk) : timer(disk), owner(its_owner) {}

  void start(const KernelRequest& from, Reply& answers_to, remap::FlushHeard& heard) {
    slot = from.slot;
    reply = &answers_to;
    request.kind = kind_of(from.operation);
    request.range = from.range;
    const bool reads = request.kind == remap::Request::Kind::read;
    request.out = reads ? from.data : std::span<std::byte>();
    request.data = reads ? std::span<std::byte>() : from.data;
    request.fua = from.fua;
    request.heard = &heard;
    request.done = this;
    request.timer = &timer;
    busy.store(true, std::memory_order_relaxed);
    const bool changes = !reads && request.kind != remap::Request::Kind::flush;
    timer.begin(changes ? request.range : SectorRange{}, *this);
  }
  [[nodiscard]] bool is_write() const { return request.kind == remap::Request::Kind::write; }
  [[nodiscard]] bool is_flush() const { return request.kind == remap::Request::Kind::flush; }

  void complete(io::IoStatus status) override { owner.complete(*this, status); }
  void expire() override {
    owner.overdue_.fetch_add(1);
    lease = reply->answer_early(EIO);
  }

  remap::RequestTimer timer;
  DiskRequests& owner;
  remap::Request request;
  std::optional<remap::DirectRequest> direct;
  std::optional<table::Pins::Pin> shared;  // of the gate
  bool counted = false;                    // among the direct ones
  Reply* reply = nullptr;
  std::uint32_t slot = 0;
  ublk::BufferPool::Lease lease;  // once it has expired
  std::atomic<bool> busy{false};
  bool replaced = false;  // under the owner's mutex: its slot has another state now
  State* next = nullptr;  // of the list that it is in
};

DiskRequests::DiskRequests(remap::Disk& disk, const Options& options)
    : disk_(disk),
      options_(options),
      begun_(options.slots),
      threads_(options.threads, [this](State& s) { work(s); }) {
  DMREMAP_ASSERT(options.most_direct < table::Pins::kSlots);
  for (unsigned i = 0; i < options.slots; ++i) {
    by_slot_.push_back(&states_.emplace_back(*this, disk_));
  }
  kept_.reserve(options.slots);
  if (!options.taken_over) disk_.begin_hearing(heard_);
}

DiskRequests::~DiskRequests() {
  settle();
}

void DiskRequests::settle() {
  holding_ = Holding::all;
  while (!have_ended()) std::this_thread::sleep_for(kLookEvery);
}

// The slots are looked at one after the other: what is begun no more while requests are held does
// not come back to one that was looked at.
bool DiskRequests::have_ended() const {
  return overdue_ == 0 &&
         std::ranges::all_of(begun_, [](const auto& of_slot) { return of_slot == 0; });
}

DiskRequests::Fate DiskRequests::fate_of(Operation operation) const {
  const Holding holding = holding_.load();
  if (holding == Holding::all) return Fate::kept;
  if (holding == Holding::nothing || !changes_disk(operation)) return Fate::begun;
  return holding == Holding::changes ? Fate::kept : Fate::refused;
}

// Counted before it is asked whether requests are held, and the other way round in hold(): one of
// the two sees the other.
DiskRequests::Fate DiskRequests::take(const KernelRequest& request, Reply& reply) {
  begun_.at(request.slot).fetch_add(1);
  if (fate_of(request.operation) == Fate::begun) return Fate::begun;
  {
    const std::lock_guard lock(mutex_);
    const Fate fate = fate_of(request.operation);
    if (fate != Fate::kept) return fate;
    kept_.push_back({request, &reply});
  }
  count_ended(request.slot);
  return Fate::kept;
}

// With this both the queue of the request and this object may go: nothing of them is used after it.
void DiskRequests::count_ended(std::uint32_t slot) {
  begun_[slot].fetch_sub(1);
}

bool DiskRequests::hold(std::chrono::milliseconds at_most) {
  const auto give_up = steady_clock::now() + at_most;
  holding_ = Holding::all;
  for (;; std::this_thread::sleep_for(kLookEvery)) {
    {
      const std::lock_guard lock(mutex_);
      // In this order: the next flush is counted before the one that was has ended.
      if (flushing_ == nullptr && have_ended()) return true;
    }
    if (steady_clock::now() >= give_up) return false;
  }
}

void DiskRequests::release(Changes changes) {
  std::vector<Kept> kept;
  {
    const std::lock_guard lock(mutex_);
    holding_ = changes == Changes::begun  ? Holding::nothing
               : changes == Changes::kept ? Holding::changes
                                          : Holding::refused_changes;
    kept.swap(kept_);
    kept_.reserve(options_.slots);
  }
  // On this thread, which is no queue's: by the threads here, whatever it is.
  for (const Kept& one : kept) {
    const Fate fate = take(one.request, *one.reply);
    if (fate == Fate::refused) answer(*one.reply, one.request.slot, EIO);
    if (fate != Fate::begun) continue;
    State& state = state_for(one.request.slot);
    state.start(one.request, *one.reply, heard_);
    if (state.is_flush()) {
      static_cast<void>(begin_flush(state));
    } else {
      threads_.add(state);
    }
  }
}

std::size_t DiskRequests::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

// A slot whose former request was answered at its deadline, and still is with a device, gets a
// state of its own.
DiskRequests::State& DiskRequests::state_for(std::uint32_t slot) {
  State* state = by_slot_.at(slot);
  if (!state->busy.load(std::memory_order_acquire)) return *state;
  const std::lock_guard lock(mutex_);
  if (!state->busy.load()) return *state;
  state->replaced = true;
  if (spare_states_.empty()) {
    state = &states_.emplace_back(*this, disk_);
  } else {
    state = spare_states_.back();
    spare_states_.pop_back();
  }
  by_slot_[slot] = state;
  return *state;
}

Step DiskRequests::begin(const KernelRequest& request, Reply& reply) {
  const Fate fate = take(request, reply);
  if (fate == Fate::kept) return Step::later();
  if (fate == Fate::refused) {
    count_ended(request.slot);
    return Step::answer(EIO);
  }
  State& state = state_for(request.slot);
  state.start(request, reply, heard_);
  const bool changes = !state.is_flush() && state.request.kind != remap::Request::Kind::read;
  if (state.is_flush()) return begin_flush(state);
  const bool by_threads = state.request.kind == remap::Request::Kind::zeroes ||
                          state.request.kind == remap::Request::Kind::discard;
  if (by_threads || direct_.load(std::memory_order_relaxed) >= options_.most_direct) {
    threads_.add(state);
    return Step::later();
  }
  if (options_.gate && changes) {
    auto shared = options_.gate->try_share(state.request.range);
    if (!shared) {
      threads_.add(state);
      return Step::later();
    }
    state.shared.emplace(std::move(*shared));
  }
  auto direct = disk_.begin(state.request);
  // Else it is the engine's, and may have ended already.
  return direct ? issue(state, std::move(*direct)) : Step::later();
}

Step DiskRequests::issue(State& state, remap::DirectRequest direct) {
  io::BlockDevice& device = direct.device();
  const SectorRange target{direct.at(), state.request.range.count};
  const int fd = device.descriptor_for(state.is_write() ? target : SectorRange{});
  state.counted = true;
  direct_.fetch_add(1, std::memory_order_relaxed);
  state.direct.emplace(std::move(direct));
  if (fd >= 0) return Step::direct(fd, target.first.byte_offset(), false, &state);
  if (!device.lies_in_memory()) {
    threads_.add(state);
    return Step::later();
  }
  return direct_step(state, remap::issue(*state.direct));
}

Step DiskRequests::direct_done(void* cookie, int error) {
  State& state = *static_cast<State*>(cookie);
  const io::IoStatus status{error};
  state.direct->device().count_issued(state.is_write(), status);
  return direct_step(state, status);
}

// Of a call by the queue's thread, which gives the answer on its way out and is waited for by
// whoever ends the queue: it may be counted before.
Step DiskRequests::direct_step(State& state, io::IoStatus status) {
  const std::uint32_t slot = state.slot;
  const auto answer = finish_direct(state, status);
  if (!answer) return Step::later();
  count_ended(slot);
  return Step::answer(*answer);
}

// The answer; nothing if it comes later, or has come.
std::optional<int> DiskRequests::finish_direct(State& state, io::IoStatus status) {
  remap::DirectRequest direct = std::move(*state.direct);
  state.direct.reset();
  // A write that failed takes its pin along.
  if (!state.is_write()) uncount(state);
  const auto answer = disk_.finish(std::move(direct), status);
  // Without one it is the engine's, and the state may be another request's by now.
  return answer ? end(state, *answer) : std::nullopt;
}

void DiskRequests::uncount(State& state) {
  if (std::exchange(state.counted, false)) direct_.fetch_sub(1, std::memory_order_relaxed);
}

// Its slot may be used again as soon as the kernel is answered, so the state is free before that.
// Who gets an answer counts the request as ended once it is given.
std::optional<int> DiskRequests::end(State& state, io::IoStatus status) {
  const bool mine = state.timer.claim();
  const int error = upward(state.request.kind, status);
  state.shared.reset();
  uncount(state);
  if (state.is_flush()) end_flush(state, mine);
  if (mine) {
    state.busy.store(false, std::memory_order_release);
    return error;
  }
  const std::uint32_t slot = state.slot;
  state.lease.drop();
  {
    const std::lock_guard lock(mutex_);
    state.busy.store(false);
    if (std::exchange(state.replaced, false)) spare_states_.push_back(&state);
  }
  overdue_.fetch_sub(1);
  count_ended(slot);
  return std::nullopt;
}

void DiskRequests::complete(State& state, io::IoStatus status) {
  Reply& reply = *state.reply;
  const std::uint32_t slot = state.slot;
  if (const auto error = end(state, status)) answer(reply, slot, *error);
}

void DiskRequests::answer(Reply& reply, std::uint32_t slot, int error) {
  reply.answer(error);
  count_ended(slot);
}

void DiskRequests::work(State& state) {
  const remap::Request& request = state.request;
  Reply& reply = *state.reply;
  if (state.direct) {
    const std::uint32_t slot = state.slot;
    const auto error = finish_direct(state, remap::issue(*state.direct));
    if (error) answer(reply, slot, *error);
    return;
  }
  std::optional<WriteGate::Pass> beside;
  if (options_.gate && (state.is_write() || request.kind == remap::Request::Kind::zeroes)) {
    beside.emplace(*options_.gate, WriteGate::Access::shared, request.range.first.byte_offset(),
                   request.range.end().byte_offset());
  }
  const io::IoStatus status = remap::run(disk_, request);
  beside.reset();
  complete(state, status);
}

Step DiskRequests::begin_flush(State& state) {
  {
    const std::lock_guard lock(mutex_);
    if (flushing_ != nullptr) {
      waiting_flushes_.push(state);
      // Until its turn comes nobody has it. What gives it the turn may be gone by then.
      count_ended(state.slot);
      return Step::later();
    }
    flushing_ = &state;
  }
  static_cast<void>(disk_.begin(state.request));
  return Step::later();
}

// The flush that has the turn keeps it until the kernel has its answer; one whose answer came at
// its deadline keeps it until the device is done with it.
void DiskRequests::end_flush(State& state, bool answered) {
  std::unique_lock lock(mutex_);
  if (flushing_ != &state) return;
  if (answered) {
    flush_answered_ = true;
  } else {
    begin_next_flush(std::move(lock));
  }
}

void DiskRequests::flush_told(std::uint32_t slot) {
  std::unique_lock lock(mutex_);
  if (flushing_ == nullptr || !flush_answered_ || flushing_->slot != slot) return;
  begin_next_flush(std::move(lock));
}

void DiskRequests::begin_next_flush(std::unique_lock<std::mutex> lock) {
  flush_answered_ = false;
  flushing_ = waiting_flushes_.pop();
  const State* const next = flushing_;
  if (next != nullptr) begun_[next->slot].fetch_add(1);
  lock.unlock();
  if (next != nullptr) static_cast<void>(disk_.begin(next->request));
}

}  // namespace dmremap::frontend
