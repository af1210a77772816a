// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/parallel_tasks.hpp"

#include <algorithm>
#include <condition_variable>
#include <ctime>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include <pthread.h>

#include "os/run_first.hpp"

namespace dmremap::os {

namespace {

using std::chrono::steady_clock;

// The processor time of a thread that has not ended.
std::chrono::nanoseconds run_time_of(pthread_t thread) {
  clockid_t clock{};
  timespec now{};
  if (::pthread_getcpuclockid(thread, &clock) != 0) return {};
  if (::clock_gettime(clock, &now) != 0) return {};
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

struct Task {
  enum class State { waiting, running, ended, left_behind };

  std::function<void()> body;
  State state = State::waiting;
  std::size_t worker = 0;  // while running: who runs it
  std::chrono::nanoseconds run_time{};
  steady_clock::time_point ran_at;  // when `run_time` was last seen to change
};

// Shared by the caller and all threads, and alive as long as any of them.
struct Batch {
  std::mutex mutex;  // of all that follows, but for the body of a running task
  std::condition_variable ended;
  std::vector<Task> tasks;  // their number does not change
  std::size_t next = 0;     // the first that is waiting
  std::size_t open = 0;     // neither ended nor left behind
};

void work(const std::shared_ptr<Batch>& batch, std::size_t worker) {
  std::unique_lock lock(batch->mutex);
  while (batch->next < batch->tasks.size()) {
    Task& task = batch->tasks[batch->next++];
    task.state = Task::State::running;
    task.worker = worker;
    task.run_time = run_time_of(::pthread_self());
    task.ran_at = steady_clock::now();
    std::function<void()> body = std::move(task.body);
    lock.unlock();
    body();
    // What the task owns goes before anybody is told that it ended.
    body = nullptr;
    lock.lock();
    // Another thread has taken the place of this one.
    if (task.state == Task::State::left_behind) return;
    task.state = Task::State::ended;
    if (--batch->open == 0) batch->ended.notify_all();
  }
}

class Workers {
 public:
  explicit Workers(std::shared_ptr<Batch> batch) : batch_(std::move(batch)) {}

  void add() {
    threads_.emplace_back([batch = batch_, worker = threads_.size(), is_first = RunFirst::is_on()] {
      const RunFirst first(is_first);
      work(batch, worker);
    });
  }
  // Requires the lock, and that the worker's task has not ended, which keeps its thread alive.
  [[nodiscard]] std::chrono::nanoseconds run_time(std::size_t worker) {
    return run_time_of(threads_[worker].native_handle());
  }
  void leave_behind(std::size_t worker) { threads_[worker].detach(); }
  // Waits for all that were not left behind; they have no more tasks.
  void join() {
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  std::shared_ptr<Batch> batch_;
  std::vector<std::thread> threads_;
};

// Leaves behind the tasks that have stood still for too long. Requires the lock.
void check_progress(Batch& batch, Workers& workers, std::chrono::nanoseconds patience) {
  const auto now = steady_clock::now();
  for (Task& task : batch.tasks) {
    if (task.state != Task::State::running) continue;
    if (const auto run_time = workers.run_time(task.worker); run_time != task.run_time) {
      task.run_time = run_time;
      task.ran_at = now;
    } else if (now - task.ran_at >= patience) {
      task.state = Task::State::left_behind;
      --batch.open;
      workers.leave_behind(task.worker);
      if (batch.next < batch.tasks.size()) workers.add();
    }
  }
}

}  // namespace

std::vector<bool> run_parallel(std::vector<std::function<void()>> tasks,
                               const ParallelLimits& limits) {
  const auto batch = std::make_shared<Batch>();
  batch->open = tasks.size();
  batch->tasks.resize(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) batch->tasks[i].body = std::move(tasks[i]);
  Workers workers(batch);
  std::unique_lock lock(batch->mutex);
  for (std::size_t i = 0; i < std::min(tasks.size(), limits.threads); ++i) workers.add();
  while (batch->open > 0) {
    batch->ended.wait_for(lock, limits.patience / 8, [&] { return batch->open == 0; });
    check_progress(*batch, workers, limits.patience);
  }
  std::vector<bool> out;
  for (const Task& task : batch->tasks) out.push_back(task.state == Task::State::ended);
  lock.unlock();
  workers.join();
  return out;
}

}  // namespace dmremap::os
