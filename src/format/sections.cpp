// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/sections.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"

namespace dmremap::format {

namespace {

// Fingerprint: sizes, then texts. 640 bytes, the last 64 of them zero.
constexpr std::size_t kFpSize = 0;
constexpr std::size_t kFpLogical = 8;
constexpr std::size_t kFpPhysical = 12;
constexpr std::size_t kFpKind = 16;
constexpr std::size_t kFpZero = 17;
constexpr std::size_t kFpWwn = 24;
constexpr std::size_t kFpSerial = 88;
constexpr std::size_t kFpModel = 152;
constexpr std::size_t kFpPartUuid = 200;
constexpr std::size_t kFpFsUuid = 240;
constexpr std::size_t kFpFsType = 280;
constexpr std::size_t kFpPath = 296;
constexpr std::size_t kFpDigest = 552;
constexpr std::size_t kFpEnd = 584;

struct TextField {
  std::string Fingerprint::*text;
  std::size_t offset;
  std::size_t width;
};
constexpr TextField kFpTexts[] = {
    {&Fingerprint::wwn, kFpWwn, 64},
    {&Fingerprint::serial, kFpSerial, 64},
    {&Fingerprint::model, kFpModel, 48},
    {&Fingerprint::part_uuid, kFpPartUuid, 40},
    {&Fingerprint::fs_uuid, kFpFsUuid, 40},
    {&Fingerprint::fs_type, kFpFsType, 16},
    {&Fingerprint::path_hint, kFpPath, kMaxPathHintBytes},
};

// A device may put any bytes into its names; the format keeps printable text only.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out += c;
  }
  return out;
}

void pack_fingerprint(const Fingerprint& fp, std::span<std::byte> out) {
  store_le(out, kFpSize, fp.size.value);
  store_le(out, kFpLogical, fp.logical_block_bytes);
  store_le(out, kFpPhysical, fp.physical_block_bytes);
  store_le(out, kFpKind, static_cast<std::uint8_t>(fp.kind));
  for (const TextField& field : kFpTexts) {
    put_padded(out, field.offset, field.width, printable(fp.*field.text));
  }
  put_bytes(out, kFpDigest, sha256(out.first(kFpPath)));
}

bool valid_block_size(std::uint32_t bytes) {
  return bytes >= 512 && bytes <= (1U << 30U) && (bytes & (bytes - 1)) == 0;
}

std::optional<Fingerprint> unpack_fingerprint(std::span<const std::byte> from) {
  Fingerprint fp;
  fp.size = {load_le<std::uint64_t>(from, kFpSize)};
  fp.logical_block_bytes = load_le<std::uint32_t>(from, kFpLogical);
  fp.physical_block_bytes = load_le<std::uint32_t>(from, kFpPhysical);
  const auto kind = load_le<std::uint8_t>(from, kFpKind);
  if (kind > static_cast<std::uint8_t>(DeviceKind::image)) return std::nullopt;
  fp.kind = static_cast<DeviceKind>(kind);
  Sha256 digest{};
  get_bytes(from, kFpDigest, digest);
  if (!all_zero(from.subspan(kFpZero, kFpWwn - kFpZero)) || !all_zero(from.subspan(kFpEnd)) ||
      digest != sha256(from.first(kFpPath)) || !valid_block_size(fp.logical_block_bytes) ||
      !valid_block_size(fp.physical_block_bytes) || fp.size.value > kMaxSector + 1) {
    return std::nullopt;
  }
  for (const TextField& field : kFpTexts) {
    auto text = get_padded(from, field.offset, field.width);
    if (!text) return std::nullopt;
    fp.*field.text = std::move(*text);
  }
  return fp;
}

// Identity.
constexpr std::size_t kIdName = 0;
constexpr std::size_t kIdSet = 64;
constexpr std::size_t kIdMainUuid = 80;
constexpr std::size_t kIdSpareUuid = 96;
constexpr std::size_t kIdCreated = 112;
constexpr std::size_t kIdZero = 120;
constexpr std::size_t kIdMain = 256;
constexpr std::size_t kIdSpare = kIdMain + kFingerprintBytes;
static_assert(kIdSpare + kFingerprintBytes == kIdentityBytes);

// Configuration.
constexpr std::size_t kCfDeadline = 0;
constexpr std::size_t kCfRecheck = 4;
constexpr std::size_t kCfRetries = 8;
constexpr std::size_t kCfProbe = 12;
constexpr std::size_t kCfZero = 16;

// Health: ten counters, flags, print, then kStoredEvents events.
constexpr std::size_t kHeCounters = 0;
constexpr std::size_t kHeFlags = 80;
constexpr std::size_t kHeEventCount = 84;
constexpr std::size_t kHePrint = 88;
constexpr std::size_t kHeZero = 120;
constexpr std::size_t kHeEvents = 240;
static_assert(kHeEvents + kStoredEvents * kEventBytes == kHealthBytes);
constexpr std::uint32_t kFlagClean = 1;

constexpr std::uint64_t Health::*kCounters[] = {
    &Health::main_read_errors,
    &Health::main_write_errors,
    &Health::spare_read_errors,
    &Health::spare_write_errors,
    &Health::remaps,
    &Health::starts,
    &Health::scrub_position,
    &Health::scrub_passes,
    &Health::next_event,
};
static_assert(sizeof kCounters / sizeof kCounters[0] * 8 <= kHeFlags);

// Event.
constexpr std::size_t kEvNumber = 0;
constexpr std::size_t kEvWall = 8;
constexpr std::size_t kEvSector = 16;
constexpr std::size_t kEvCount = 24;
constexpr std::size_t kEvKind = 28;
constexpr std::size_t kEvSeverity = 29;
constexpr std::size_t kEvErrno = 30;
constexpr std::size_t kEvZero = 31;
constexpr std::size_t kEvText = 32;

// A severity has a number of its own on disk, which does not depend on the order in the logger.
std::uint8_t stored(Severity severity) {
  switch (severity) {
    case Severity::info:
      return 0;
    case Severity::warning:
      return 1;
    case Severity::error:
      break;
  }
  return 2;
}

std::optional<Severity> severity_of(std::uint8_t stored) {
  switch (stored) {
    case 0:
      return Severity::info;
    case 1:
      return Severity::warning;
    case 2:
      return Severity::error;
    default:
      return std::nullopt;
  }
}

}  // namespace

void pack_event(const Event& event, std::span<std::byte> out) {
  store_le(out, kEvNumber, event.number);
  store_le(out, kEvWall, event.wall_ns);
  store_le(out, kEvSector, event.main.first.value);
  store_le(out, kEvCount,
           static_cast<std::uint32_t>(std::min<std::uint64_t>(event.main.count.value, UINT32_MAX)));
  store_le(out, kEvKind, static_cast<std::uint8_t>(event.kind));
  store_le(out, kEvSeverity, stored(event.severity));
  store_le(out, kEvErrno, static_cast<std::uint8_t>(std::clamp(event.error, 0, 255)));
  put_padded(out, kEvText, kEventTextBytes, printable(event.text));
}

std::optional<Event> unpack_event(std::span<const std::byte> from) {
  Event event;
  event.number = load_le<std::uint64_t>(from, kEvNumber);
  event.wall_ns = load_le<std::uint64_t>(from, kEvWall);
  event.main = {{load_le<std::uint64_t>(from, kEvSector)},
                {load_le<std::uint32_t>(from, kEvCount)}};
  const auto kind = event_kind_of(load_le<std::uint8_t>(from, kEvKind));
  const auto severity = severity_of(load_le<std::uint8_t>(from, kEvSeverity));
  auto text = get_padded(from, kEvText, kEventTextBytes);
  if (!kind || !severity || !text || load_le<std::uint8_t>(from, kEvZero) != 0) {
    return std::nullopt;
  }
  event.kind = *kind;
  event.severity = *severity;
  event.error = load_le<std::uint8_t>(from, kEvErrno);
  event.text = std::move(*text);
  return event;
}

std::string_view name_of(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::other:
      return "other";
    case DeviceKind::disk:
      return "disk";
    case DeviceKind::partition:
      return "partition";
    case DeviceKind::image:
      return "image";
  }
  return "other";
}

void pack_identity(const Identity& identity, std::span<std::byte> out) {
  put_padded(out, kIdName, kMaxNameBytes, identity.name);
  put_bytes(out, kIdSet, identity.set_uuid.bytes);
  put_bytes(out, kIdMainUuid, identity.main_uuid.bytes);
  put_bytes(out, kIdSpareUuid, identity.spare_uuid.bytes);
  store_le(out, kIdCreated, identity.created_ns);
  pack_fingerprint(identity.main, out.subspan(kIdMain, kFingerprintBytes));
  pack_fingerprint(identity.spare, out.subspan(kIdSpare, kFingerprintBytes));
}

std::optional<Identity> unpack_identity(std::span<const std::byte> from) {
  if (from.size() != kIdentityBytes) return std::nullopt;
  Identity out;
  auto name = get_padded(from, kIdName, kMaxNameBytes);
  auto main = unpack_fingerprint(from.subspan(kIdMain, kFingerprintBytes));
  auto spare = unpack_fingerprint(from.subspan(kIdSpare, kFingerprintBytes));
  if (!name || name->empty() || !main || !spare ||
      !all_zero(from.subspan(kIdZero, kIdMain - kIdZero))) {
    return std::nullopt;
  }
  out.name = std::move(*name);
  out.main = std::move(*main);
  out.spare = std::move(*spare);
  get_bytes(from, kIdSet, out.set_uuid.bytes);
  get_bytes(from, kIdMainUuid, out.main_uuid.bytes);
  get_bytes(from, kIdSpareUuid, out.spare_uuid.bytes);
  out.created_ns = load_le<std::uint64_t>(from, kIdCreated);
  return out;
}

void pack_configuration(const Configuration& configuration, std::span<std::byte> out) {
  store_le(out, kCfDeadline, configuration.request_deadline_ms);
  store_le(out, kCfRecheck, configuration.lost_recheck_s);
  store_le(out, kCfRetries, configuration.read_retries);
  store_le(out, kCfProbe, configuration.probe_units);
}

std::optional<Configuration> unpack_configuration(std::span<const std::byte> from) {
  if (from.size() != kConfigurationBytes || !all_zero(from.subspan(kCfZero))) return std::nullopt;
  const Configuration out{
      load_le<std::uint32_t>(from, kCfDeadline), load_le<std::uint32_t>(from, kCfRecheck),
      load_le<std::uint32_t>(from, kCfRetries), load_le<std::uint32_t>(from, kCfProbe)};
  if (!kRequestDeadlineMs.contains(out.request_deadline_ms) ||
      !kLostRecheckS.contains(out.lost_recheck_s) || !kReadRetries.contains(out.read_retries) ||
      !kProbeUnits.contains(out.probe_units)) {
    return std::nullopt;
  }
  return out;
}

void pack_health(const Health& health, std::span<std::byte> out) {
  DMREMAP_ASSERT(health.events.size() <= kStoredEvents);
  std::size_t at = kHeCounters;
  for (const auto counter : kCounters) {
    store_le(out, at, health.*counter);
    at += 8;
  }
  store_le(out, kHeFlags, health.clean ? kFlagClean : 0U);
  store_le(out, kHeEventCount, static_cast<std::uint32_t>(health.events.size()));
  put_bytes(out, kHePrint, health.main_print);
  for (std::size_t i = 0; i < health.events.size(); ++i) {
    pack_event(health.events[i], out.subspan(kHeEvents + i * kEventBytes, kEventBytes));
  }
}

std::optional<Health> unpack_health(std::span<const std::byte> from) {
  if (from.size() != kHealthBytes) return std::nullopt;
  Health out;
  std::size_t at = kHeCounters;
  for (const auto counter : kCounters) {
    out.*counter = load_le<std::uint64_t>(from, at);
    at += 8;
  }
  const auto flags = load_le<std::uint32_t>(from, kHeFlags);
  const auto events = load_le<std::uint32_t>(from, kHeEventCount);
  if ((flags & ~kFlagClean) != 0 || events > kStoredEvents ||
      !all_zero(from.subspan(at, kHeFlags - at)) ||
      !all_zero(from.subspan(kHeZero, kHeEvents - kHeZero)) ||
      !all_zero(from.subspan(kHeEvents + events * kEventBytes))) {
    return std::nullopt;
  }
  out.clean = (flags & kFlagClean) != 0;
  get_bytes(from, kHePrint, out.main_print);
  for (std::size_t i = 0; i < events; ++i) {
    auto event = unpack_event(from.subspan(kHeEvents + i * kEventBytes, kEventBytes));
    if (!event || !is_of_version_1(event->kind)) return std::nullopt;
    out.events.push_back(std::move(*event));
  }
  return out;
}

void ExtentCodec::pack(const Extent& extent, std::span<std::byte> out) {
  store_le(out, 0, extent.main_word_);
  store_le(out, 8, extent.spare_word_);
  store_le(out, 16, extent.bound_sequence_);
  store_le(out, 20, extent.bound_time_);
}

std::optional<Extent> ExtentCodec::unpack(std::span<const std::byte> from) {
  Extent out;
  out.main_word_ = load_le<std::uint64_t>(from, 0);
  out.spare_word_ = load_le<std::uint64_t>(from, 8);
  out.bound_sequence_ = load_le<std::uint32_t>(from, 16);
  out.bound_time_ = load_le<std::uint32_t>(from, 20);
  const std::uint64_t count = out.main_word_ >> 40U;
  const bool has_spare = out.state() == State::remapped || out.state() == State::retired;
  if (out.state() > State::retired || out.spare().first.index != kFirstSpare) return std::nullopt;
  if (out.state() == State::good) {
    return out == Extent{} ? std::optional(out) : std::nullopt;
  }
  if (count == 0 || (!has_spare && out.spare().first.sector.value != 0) ||
      (out.state() == State::retired && out.main().first.value != 0) ||
      out.main().end().value > kMaxSector + 1 || out.spare().end().sector.value > kMaxSector + 1) {
    return std::nullopt;
  }
  return out;
}

}  // namespace dmremap::format
