// SPDX-License-Identifier: GPL-2.0-or-later
// Brings messages to people, by several ways at once. Each way has a queue and a thread of its own:
// a mail program that hangs delays mail, and nothing else, and no message is lost for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "monitor/message.hpp"

namespace dmremap::monitor {

// A way to bring messages to people. Used by one thread.
class Channel {
 public:
  virtual ~Channel() = default;
  [[nodiscard]] virtual bool wants(const Message& /*message*/) const { return true; }
  // Brings what has gathered, in order. An error for each thing that failed.
  [[nodiscard]] virtual std::vector<Error> deliver(const std::vector<Message>& messages) = 0;
  // The shortest time between two deliveries.
  [[nodiscard]] virtual std::chrono::milliseconds interval() const { return {}; }
};

class Delivery {
 public:
  // `on_failure` is told each error of a channel; by several threads, one at a time.
  explicit Delivery(std::function<void(const Error&)> on_failure)
      : on_failure_(std::move(on_failure)) {}
  // As finish.
  ~Delivery();
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  void add(std::unique_ptr<Channel> channel);
  // Returns at once.
  void post(const Message& message);
  // Delivers all that waits, without the pauses between deliveries, and ends the threads. True if
  // no delivery failed, ever.
  bool finish();

 private:
  struct Worker {
    std::unique_ptr<Channel> channel;
    std::deque<Message> queue;
    std::thread thread;
  };
  void run(Worker& worker);

  const std::function<void(const Error&)> on_failure_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  bool failed_ = false;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace dmremap::monitor
