// SPDX-License-Identifier: GPL-2.0-or-later
// One metric with its samples, as lines of the exposition format.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace dmremap::metrics {

using Label = std::pair<std::string_view, std::string_view>;

class Family {
 public:
  enum class Type : std::uint8_t { gauge, counter };

  Family(std::string_view name, Type type, std::string_view help)
      : name_(name), type_(type), help_(help) {}

  void add(std::initializer_list<Label> labels, std::uint64_t value);
  void add(std::initializer_list<Label> labels, double value);
  // A sample for each of `words`: 1 for the one that is `now`, 0 for the others. `label` is theirs.
  template <typename Words>
  void add_one_of(std::string_view set, std::string_view label, const Words& words,
                  std::string_view now) {
    for (const std::string_view word : words) {
      add({{"set", set}, {label, word}}, std::uint64_t{word == now ? 1U : 0U});
    }
  }

  // With its HELP and TYPE; empty if it has no sample.
  [[nodiscard]] std::string text() const;

 private:
  void add_line(std::initializer_list<Label> labels, const std::string& value);

  std::string_view name_;
  Type type_;
  std::string_view help_;
  std::string samples_;
};

}  // namespace dmremap::metrics
