// SPDX-License-Identifier: GPL-2.0-or-later
#include "arm.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace dmremap::lab {

namespace {

constexpr double kShortestSeek = 0.2;   // of the average
constexpr double kMeanRoot = 8.0 / 15;  // of the distance of two random places in [0, 1]
constexpr double kSeekMostMs = 1000;
constexpr double kRateLeastMb = 0.001;
constexpr double kRateMostMb = 100'000;

tl::unexpected<Error> bad_mode(std::string_view text, std::string what) {
  return fail(ErrorCode::usage, std::move(what), std::string(text),
              "modes are instant, arm:SEEK_MS,MB_PER_S and arm:SEEK_MS,MB_PER_S+streams");
}

std::optional<double> decimal(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace

Result<std::optional<ArmModel>> parse_mode(std::string_view text) {
  constexpr std::string_view kArm = "arm:";
  constexpr std::string_view kStreams = "+streams";
  if (text == "instant") return std::optional<ArmModel>{};
  if (!text.starts_with(kArm)) return bad_mode(text, "no such mode");
  std::string_view rest = text.substr(kArm.size());
  ArmModel model;
  model.prefers_streams = rest.ends_with(kStreams);
  if (model.prefers_streams) rest.remove_suffix(kStreams.size());
  const std::size_t comma = rest.find(',');
  if (comma == std::string_view::npos) return bad_mode(text, "an arm needs two numbers");
  const auto seek_ms = decimal(rest.substr(0, comma));
  const auto mb_per_s = decimal(rest.substr(comma + 1));
  if (!seek_ms || *seek_ms < 0 || *seek_ms > kSeekMostMs) {
    return bad_mode(text, "a seek takes 0 to 1000 milliseconds");
  }
  if (!mb_per_s || *mb_per_s < kRateLeastMb || *mb_per_s > kRateMostMb) {
    return bad_mode(text, "a rate is 0.001 to 100000 MB a second");
  }
  model.seek_ms = *seek_ms;
  model.mb_per_s = *mb_per_s;
  return std::optional(model);
}

std::string print_mode(const std::optional<ArmModel>& model) {
  if (!model) return "instant";
  return fmt::format("arm:{},{}{}", model->seek_ms, model->mb_per_s,
                     model->prefers_streams ? "+streams" : "");
}

ArmQueue::Ticket ArmQueue::arrive(std::uint64_t now_ns, SectorRange range,
                                  SectorCount transferred) {
  waiting_.push_back({++last_ticket_, now_ns, range, transferred});
  return last_ticket_;
}

std::uint64_t ArmQueue::cost_ns(const Request& request) const {
  double ms = static_cast<double>(request.transferred.bytes()) / model_.mb_per_s / 1000;
  if (request.range.first != arm_) {
    const double distance =
        std::abs(static_cast<double>(request.range.first.value) - static_cast<double>(arm_.value));
    const double root = std::sqrt(distance / static_cast<double>(size_.value));
    ms += model_.seek_ms * (kShortestSeek + (1 - kShortestSeek) * root / kMeanRoot);
  }
  return static_cast<std::uint64_t>(ms * 1e6);
}

ArmQueue::Choice ArmQueue::choose() const {
  const Request& oldest = waiting_.front();
  const std::uint64_t at_ns = std::max(free_at_ns_, oldest.arrived_ns);
  const std::uint64_t deadline_ns = oldest.arrived_ns + kStreamDeadlineNs;
  if (!model_.prefers_streams || at_ns >= deadline_ns) return {0, at_ns};

  const auto follows = [this](const Request& it) { return it.range.first == arm_; };
  const auto found = std::ranges::find_if(waiting_, follows);
  std::uint64_t patience_ns = at_ns;
  if (streaming_) {
    patience_ns = std::max(at_ns, std::min(free_at_ns_ + kStreamPauseNs, deadline_ns));
  }
  if (found == waiting_.end() || found->arrived_ns > patience_ns) return {0, patience_ns};
  return {static_cast<std::size_t>(found - waiting_.begin()), std::max(at_ns, found->arrived_ns)};
}

std::optional<ArmQueue::Service> ArmQueue::next(std::uint64_t now_ns) {
  look_at_ns_ = kNever;
  if (waiting_.empty()) return std::nullopt;
  const Choice choice = choose();
  if (choice.at_ns > now_ns) {
    look_at_ns_ = choice.at_ns;
    return std::nullopt;
  }
  const Request request = waiting_[choice.index];
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(choice.index));
  free_at_ns_ = choice.at_ns + cost_ns(request);
  streaming_ = request.range.first == arm_;
  arm_ = request.range.end();
  return Service{request.ticket, free_at_ns_};
}

}  // namespace dmremap::lab
