// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/device_watch.hpp"

#include <atomic>

#include <gtest/gtest.h>

#include "rig/engine_rig.hpp"

namespace dmremap::set {
namespace {

WatchedDevice device(const char* path) {
  return {path, {1000}, {true, false, SectorCount{1000}}};
}

TEST(DeviceWatch, GoesOnAfterAStopThatCameToNothing) {
  class : public remap::Observer {
    void on_event(format::Event /*event*/) override {}
    void fill_health(format::Health& /*health*/) override {}
  } observer;
  remap::Rig rig;
  rig.start();
  std::atomic<unsigned> looks{0};
  {
    DeviceWatch watch({[&looks] {
                         ++looks;
                         return remap::DeviceNews{};
                       },
                       [] { return Status{}; }, rig.engine.get(), &observer},
                      {});
    ASSERT_TRUE(remap::soon([&] { return looks > 0; }));
    watch.stop();
    watch.stop();
    const unsigned before = looks;
    watch.go_on();
    watch.go_on();
    EXPECT_TRUE(remap::soon([&] { return looks > before; }));
  }
  rig.stop();
}

TEST(DeviceNews, DevicesAsTheyWereAreNoNews) {
  EXPECT_EQ(news_of(device("/dev/a"), device("/dev/b")), remap::DeviceNews{});
}

TEST(DeviceNews, Promise13_ADeviceThatIsGoneIsNamedAndHasNoSize) {
  WatchedDevice gone = device("/dev/a");
  gone.now = {false, false, SectorCount{0}};
  const remap::DeviceNews main = news_of(gone, device("/dev/b"));
  EXPECT_EQ(main.main_absence, "main is gone: the kernel no longer has /dev/a");
  EXPECT_EQ(main.main_resize, "");
  EXPECT_FALSE(main.main_shrank);
  const remap::DeviceNews spare = news_of(device("/dev/b"), gone);
  EXPECT_EQ(spare.spare_absence, "the spare is gone: the kernel no longer has /dev/a");
  EXPECT_FALSE(spare.spare_shrank);
}

TEST(DeviceNews, Promise13_AnotherSizeIsTold) {
  WatchedDevice other = device("/dev/a");
  other.now.size = SectorCount{999};
  EXPECT_EQ(news_of(other, device("b")).main_resize, "main shrank from 1000 to 999 sectors");
  EXPECT_TRUE(news_of(other, device("b")).main_shrank);
  EXPECT_TRUE(news_of(device("b"), other).spare_shrank);
  other.now.size = SectorCount{1001};
  EXPECT_EQ(news_of(device("b"), other).spare_resize, "the spare grew from 1000 to 1001 sectors");
  EXPECT_FALSE(news_of(other, device("b")).main_shrank);
  EXPECT_FALSE(news_of(device("b"), other).spare_shrank);
}

TEST(DeviceNews, ASizeThatCannotBeToldIsNoNews) {
  WatchedDevice mute = device("/dev/a");
  mute.now.size.reset();
  EXPECT_EQ(news_of(mute, mute), remap::DeviceNews{});
}

TEST(DeviceNews, Promise13_AReadOnlyFlagIsTold) {
  WatchedDevice locked = device("/dev/a");
  locked.now.read_only = true;
  EXPECT_TRUE(news_of(locked, device("b")).main_read_only);
  EXPECT_TRUE(news_of(device("b"), locked).spare_read_only);
}

}  // namespace
}  // namespace dmremap::set
