// SPDX-License-Identifier: GPL-2.0-or-later
#include "monitor/event_stream.hpp"

#include <utility>

#include "monitor/set_look.hpp"

namespace dmremap::monitor {

Result<EventBatch> EventStream::next(std::chrono::milliseconds timeout) {
  if (!client_) return connect();
  auto answer = client_->next<control::EventsReply>(timeout);
  if (answer) return unseen(std::move(answer->events));
  if (answer.error().code == ErrorCode::timeout) return EventBatch{};
  client_.reset();
  return failure_of(answer);
}

Result<EventBatch> EventStream::connect() {
  auto client = control::Client::connect(socket_);
  if (!client) return failure_of(client);
  // All events that are kept are asked for: a set that was made anew under this name counts from 1
  // again, and would have none after `last_`.
  auto answer = client->call(control::EventsRequest{0, true}, kLookTime);
  if (!answer) return failure_of(answer);
  client_.emplace(std::move(*client));
  EventBatch batch = unseen(std::move(answer->events));
  batch.is_history = !std::exchange(opened_, true);
  return batch;
}

EventBatch EventStream::unseen(std::vector<control::EventReport> events) {
  EventBatch batch;
  if (events.empty()) return batch;
  if (events.back().seq < last_) last_ = 0;
  for (control::EventReport& event : events) {
    if (event.seq > last_) batch.events.push_back(std::move(event));
  }
  if (!batch.events.empty()) last_ = batch.events.back().seq;
  return batch;
}

}  // namespace dmremap::monitor
