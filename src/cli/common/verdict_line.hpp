// SPDX-License-Identifier: GPL-2.0-or-later
// The verdict on a set's disk in one line, for texts and pictures.
#pragma once

#include <optional>
#include <string>

#include "control/health_messages.hpp"

namespace dmremap::cli {

// "verdict: watch (score 75 of 100): " and the heaviest reason; without control characters. Empty
// if there is no verdict.
[[nodiscard]] std::string verdict_line(const std::optional<control::HealthReport>& health);

}  // namespace dmremap::cli
