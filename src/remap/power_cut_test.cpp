// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 9: every step may be the last. One life of a set, cut after each write and each flush of
// either device in turn, with none, all or some of the unflushed sectors kept; then the set must
// open, and every sector must read as promises 1 to 3 allow.
#include <map>
#include <set>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

constexpr SectorCount kSmallMain{2048};
constexpr SectorCount kSmallSpare{32'768};

// What a sector may read as, now and after a cut.
struct Allowed {
  std::set<int> values{1};
  bool error = false;
};

class Life {
 public:
  Life() : rig_({kSmallMain, 512, 4096}, kSmallSpare), sectors_(kSmallMain.value) {
    rig_.main.fail_writes({{64}, {8}}, EIO);
    rig_.main.fail_reads({{128}, {8}}, EIO);
    for (std::uint64_t s = 128; s < 136; ++s) sectors_[s].error = true;
    const auto cut = [this](const sim::Request& request) -> io::IoStatus {
      if (request.kind == sim::Request::Kind::read) return {steps_ >= cut_at_ ? ENODEV : 0};
      return {steps_++ >= cut_at_ ? ENODEV : 0};
    };
    rig_.main.set_hook(cut);
    rig_.spare.set_hook(cut);
  }

  // Runs until the end or the cut.
  void live(std::uint64_t cut_at) {
    cut_at_ = cut_at;
    if (!open()) return;
    write(0, 8, 2);
    flush();
    write(60, 16, 3);  // 64 to 71 move to the spare
    settle(64, 8, 3);
    write(64, 8, 4);
    write(64, 4, 5, true);
    read_error(128, 8);
    write(130, 2, 6);
    settle(130, 2, 6);
    (void)rig_.engine->relocate({{200}, {16}});
    write(200, 16, 7);
    write(196, 24, 8);
    flush();
    spoil(64);
    write(64, 1, 9);
    settle(64, 1, 9);
    zero(0, 80);
    discard(300, 8);
    write(400, 8, 10);
    rig_.main.clear_faults();
    (void)rig_.engine->unremap({{60}, {240}});  // what was remapped so far goes back
    write(66, 4, 11, true);
    list(440, 8);
    write(442, 2, 12);
    settle(442, 2, 12);
    fill(440, 8, 13);  // but 442 and 443, which are lost no more
    write(445, 1, 14, true);
    if (rig_.engine->commit_record(
            [](format::Records& c, const table::Table&) { c.health.clean = true; }))
      return;
  }

  [[nodiscard]] std::uint64_t steps() const { return steps_; }

  void cut(const std::function<bool(Sector)>& keep) {
    if (rig_.engine) rig_.engine->stop();
    rig_.engine.reset();
    rig_.store.reset();
    const auto keeps = [&keep](const sim::Request&, Sector sector) { return keep(sector); };
    rig_.main.power_cut(keeps);
    rig_.spare.power_cut(keeps);
    cut_at_ = ~std::uint64_t{0};
  }

  void check(std::uint64_t at) {
    ASSERT_TRUE(open()) << "after step " << at;
    for (std::uint64_t s = 0; s < 512; ++s) {
      const int seen = rig_.read(s);
      const Allowed& allowed = sectors_[s];
      const bool right = seen < 0 ? allowed.error : allowed.values.contains(seen);
      ASSERT_TRUE(right) << "sector " << s << " reads " << seen << " after step " << at;
    }
  }

 private:
  bool open() {
    const auto survey = metadata::survey(rig_.spare);
    if (!survey || metadata::refusal(*survey, "spare")) return false;
    rig_.content = *survey->content;
    auto store =
        metadata::Store::activate(rig_.spare, *survey, rig_.content, rig_.random, system_clock());
    if (!store) return false;
    rig_.store = std::move(*store);
    rig_.start_with(rig_.store.get());
    return rig_.engine != nullptr;
  }

  [[nodiscard]] bool alive() const { return steps_ < cut_at_; }

  void write(std::uint64_t first, std::uint64_t count, int fill, bool fua = false) {
    const bool done = rig_.write(first, count, fill, fua) == 0;
    for (std::uint64_t s = first; s < first + count; ++s) {
      sectors_[s].values.insert(fill);
      if (done) latest_[s] = fill;
    }
    if (done && fua) settle(first, count, fill);
  }
  // Acknowledged and durable: nothing older may be seen.
  void settle(std::uint64_t first, std::uint64_t count, int fill) {
    for (std::uint64_t s = first; s < first + count; ++s) {
      if (latest_.contains(s) && latest_[s] == fill && alive()) sectors_[s] = {{fill}, false};
    }
  }
  void flush() {
    if (!rig_.engine->flush().ok()) return;
    for (const auto& [s, fill] : latest_) sectors_[s] = {{fill}, false};
  }
  void read_error(std::uint64_t first, std::uint64_t count) {
    EXPECT_LT(rig_.read(first, count), 0);
  }
  // A list from elsewhere says that these are bad.
  void list(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t s = first; s < first + count; ++s) sectors_[s].error = true;
    (void)rig_.engine->mark_known_bad({{{{first}, {count}}}, {}}, false);
  }
  // An image has them. What was written since it was listed stays.
  void fill(std::uint64_t first, std::uint64_t count, int fill) {
    const auto data = pattern(count, fill);
    const std::uint64_t as_of = rig_.store->current().sequence;
    const bool done = rig_.engine->backfill({{{{first}, {count}}}, data, as_of, false}).has_value();
    for (std::uint64_t s = first; s < first + count; ++s) {
      if (latest_.contains(s)) continue;
      sectors_[s].values.insert(fill);
      if (done) latest_[s] = fill;
    }
    if (done) settle(first, count, fill);
  }
  // The spare sector of `s` goes bad for reading.
  void spoil(std::uint64_t s) {
    if (!alive()) return;
    rig_.spare.fail_reads(rig_.spare_of(s), EIO);
    sectors_[s].error = true;
    EXPECT_LT(rig_.read(s), 0);
    latest_.erase(s);
  }
  void zero(std::uint64_t first, std::uint64_t count) {
    const bool done = rig_.engine->write_zeroes({{first}, {count}}).ok();
    for (std::uint64_t s = first; s < first + count; ++s) {
      sectors_[s].values.insert(0);
      if (done) latest_[s] = 0;
    }
  }
  void discard(std::uint64_t first, std::uint64_t count) {
    (void)rig_.engine->discard({{first}, {count}});
    for (std::uint64_t s = first; s < first + count; ++s) sectors_[s].values.insert(0);
  }

  Rig rig_;
  std::vector<Allowed> sectors_;
  std::map<std::uint64_t, int> latest_;  // acknowledged
  std::atomic<std::uint64_t> steps_{0};
  std::atomic<std::uint64_t> cut_at_{~std::uint64_t{0}};
};

enum class Keep { none, all, some };

// Every kEveryNth step, from `first` on: shares of a test that would take minutes under a
// sanitizer.
constexpr std::uint64_t kEveryNth = 12;
struct Share {
  Keep keep = Keep::none;
  std::uint64_t first = 0;
};
std::vector<Share> shares() {
  std::vector<Share> out;
  for (const Keep keep : {Keep::none, Keep::all, Keep::some}) {
    for (std::uint64_t first = 0; first < kEveryNth; ++first) out.push_back({keep, first});
  }
  return out;
}

class PowerCut : public ::testing::TestWithParam<Share> {};

TEST_P(PowerCut, Promise9_EveryStepMayBeTheLast) {
  std::uint64_t steps = 0;
  {
    Life whole;
    whole.live(~std::uint64_t{0});
    steps = whole.steps();
  }
  ASSERT_GT(steps, 100U);
  std::mt19937_64 random(GetParam().first);
  for (std::uint64_t at = GetParam().first; at <= steps; at += kEveryNth) {
    Life life;
    life.live(at);
    life.cut([&](Sector) {
      if (GetParam().keep == Keep::some) return random() % 2 == 0;
      return GetParam().keep == Keep::all;
    });
    ASSERT_NO_FATAL_FAILURE(life.check(at));
  }
}

INSTANTIATE_TEST_SUITE_P(Unflushed, PowerCut, ::testing::ValuesIn(shares()), [](const auto& param) {
  const std::string kept = param.param.keep == Keep::none  ? "AllLost"
                           : param.param.keep == Keep::all ? "AllKept"
                                                           : "SomeKept";
  return kept + "From" + std::to_string(param.param.first);
});

}  // namespace
}  // namespace dmremap::remap
