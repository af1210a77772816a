// SPDX-License-Identifier: GPL-2.0-or-later
// The messages over a set's control socket, one struct each; its members are the fields of its
// JSON.
//
//   request   {"version":1,"verb":"remap","first":2048,"count":8}
//   answer    {"version":1,"ok":true,"relocated_sectors":8,...}
//             {"version":1,"ok":false,"error":{"code","what","where","hint"}}
//
// A field that is missing or of another type is an error (protocol) on both sides: the other side
// is of another version, and no default is assumed. A request names its verb and the type of its
// answer. The work is done by a handler of that request (server.hpp), which src/daemon registers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "control/health_messages.hpp"
#include "control/json_types.hpp"
#include "format/event.hpp"
#include "format/extent.hpp"
#include "remap/device/failing_places.hpp"
#include "set/spare_growth.hpp"
#include "set/status.hpp"

namespace dmremap::control {

// A message without fields.
template <typename Message>
requires std::is_empty_v<Message>
void to_json(nlohmann::json& json, const Message& /*message*/) {
  json = nlohmann::json::object();
}
template <typename Message>
requires std::is_empty_v<Message>
void from_json(const nlohmann::json& /*json*/, Message& /*message*/) {}

// The answer of a request that only says that it was done.
struct DoneReply {};

struct PingRequest {
  static constexpr const char* kVerb = "ping";
  using Reply = DoneReply;
};

struct StopRequest {
  static constexpr const char* kVerb = "stop";
  using Reply = DoneReply;
};

// The process ends, and leaves its device with its users to the next one, which takes it over.
struct HandOverRequest {
  static constexpr const char* kVerb = "hand-over";
  using Reply = DoneReply;
};

// The machine is about to be turned off: a clean stop is recorded, and what is written from now on
// waits. Reads go on.
struct PowerOffRequest {
  static constexpr const char* kVerb = "power-off";
  using Reply = DoneReply;
};

// --- a set as a whole: the object of `status --json` ------------------------------------------

// Main of a set: its path, and the errors it gave over the life of the set.
struct MainReport {
  std::string path;
  std::uint64_t read_errors = 0;
  std::uint64_t write_errors = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MainReport, path, read_errors, write_errors)

// Room for data, in sectors.
struct SpareRoom {
  std::uint64_t capacity = 0;
  std::uint64_t free = 0;
  std::uint64_t retired = 0;

  // What is in use, and with what is retired: what is no longer free.
  [[nodiscard]] std::uint64_t used() const { return capacity - std::min(capacity, free + retired); }
  [[nodiscard]] std::uint64_t taken() const { return capacity - std::min(capacity, free); }
};

// A spare of a set. `state` is the word for its condition. `capacity_sectors` can hold data, of
// which `free_sectors` are unused and `retired_sectors` are given up for good. `growable_sectors`
// lie behind what the set uses, and `dmremap spare grow` takes them over.
struct SpareReport {
  std::string path;
  Uuid uuid;
  std::string state;
  std::uint64_t capacity_sectors = 0;
  std::uint64_t free_sectors = 0;
  std::uint64_t retired_sectors = 0;
  std::uint64_t growable_sectors = 0;

  [[nodiscard]] SpareRoom room() const { return {capacity_sectors, free_sectors, retired_sectors}; }
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SpareReport, path, uuid, state, capacity_sectors, free_sectors,
                                   retired_sectors, growable_sectors)

// How many of the copies of the metadata hold the last commit.
struct CopiesReport {
  std::uint64_t good = 0;
  std::uint64_t total = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CopiesReport, good, total)

// Requests since the set was started.
struct IoReport {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t flushes = 0;
  std::uint64_t remapped_reads = 0;
  std::uint64_t remapped_writes = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(IoReport, reads, writes, flushes, remapped_reads,
                                   remapped_writes)

// An export, through which users reach a set. `kind` is block, fuse or nbd. `where` is its path or
// URI in this run, and `stable` a name that is the same at every start, if it has one.
struct ExportReport {
  std::string kind;
  std::string where;
  std::optional<std::string> stable;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ExportReport, kind, where, stable)

// What the scanner found in this run: sectors, and slots of the metadata.
struct ScrubFoundReport {
  std::uint64_t lost = 0;
  std::uint64_t recovered = 0;
  std::uint64_t slow = 0;
  std::uint64_t mended_slots = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ScrubFoundReport, lost, recovered, slow, mended_slots)

// What the scan costs others, as it was measured, in percent; `low` to `high` is the interval of
// `mean`.
struct ScrubFeltReport {
  double mean = 0;
  double low = 0;
  double high = 0;
  double p99 = 0;
  std::uint64_t pairs = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ScrubFeltReport, mean, low, high, p99, pairs)

// The scanner of a running set. `state`: idle waiting running paused; `waits_for` is what a waiting
// one waits for, else empty. `scanned_sectors` are of the pass that runs, or of the last one.
// `felt_pairs` counts pairs of windows, and `slowdown` how often the pace is halved by what was
// felt.
struct ScrubReport {
  std::string state;
  std::string waits_for;
  Sector position_sectors;
  SectorCount scanned_sectors;
  std::uint64_t passes = 0;
  std::optional<std::string> last_complete;  // a time
  ScrubFoundReport found;
  std::optional<ScrubFeltReport> felt;  // empty: too few pairs
  std::uint64_t felt_pairs = 0;
  unsigned slowdown = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ScrubReport, state, waits_for, position_sectors, scanned_sectors,
                                   passes, last_complete, found, felt, felt_pairs, slowdown)

[[nodiscard]] ScrubReport report_of(const set::ScannerStatus& scanner);

// The status of a set, which is the object of `status --json`. `state` is the worst of
// `conditions`, and `reason` says why. `sequence` and `term` name the last commit. The counts of
// sectors are of main; `lost_sectors` includes `gone_sectors`. `extents` is the number of entries
// in the table. `run`, `pid` and `exports` are those of the process that serves it.
struct SetReport {
  int json_version = 1;
  std::string name;
  Uuid uuid;
  std::string state;
  std::vector<std::string> conditions;
  std::string reason;
  bool doubtful = false;
  std::uint64_t sequence = 0;
  std::uint64_t term = 0;
  std::optional<Uuid> run;  // empty if it does not run
  std::uint64_t size_sectors = 0;
  std::uint64_t remapped_sectors = 0;
  std::uint64_t lost_sectors = 0;
  std::uint64_t gone_sectors = 0;
  std::uint64_t suspect_sectors = 0;
  std::uint64_t extents = 0;
  MainReport main;
  std::vector<SpareReport> spares;
  CopiesReport copies;
  IoReport io;
  bool needs_attention = false;
  std::optional<std::int64_t> pid;  // empty if it does not run
  std::vector<ExportReport> exports;
  std::optional<ScrubReport> scrub;    // empty if it does not run, or is read-only
  std::optional<HealthReport> health;  // empty if its metadata has no history

  [[nodiscard]] bool has_condition(const std::string& condition) const;
  // Of all spares together, in sectors.
  [[nodiscard]] SpareRoom spare_room() const;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SetReport, json_version, name, uuid, state, conditions, reason,
                                   doubtful, sequence, term, run, size_sectors, remapped_sectors,
                                   lost_sectors, gone_sectors, suspect_sectors, extents, main,
                                   spares, copies, io, needs_attention, pid, exports, scrub, health)

// The report without pid and exports, which only the process of a running set knows.
[[nodiscard]] SetReport report_of(const set::Status& status);

struct StatusReply {
  SetReport status;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StatusReply, status)

struct StatusRequest {
  static constexpr const char* kVerb = "status";
  using Reply = StatusReply;
};

// The report of a process that serves a set to the one that started it: the object of `start
// --json`.
struct StartReport {
  std::string name;
  std::vector<ExportReport> exports;
  std::vector<std::string> warnings;  // for the user who starts it
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StartReport, name, exports, warnings)

struct StartReply {
  StartReport served;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StartReply, served)

// --- events ------------------------------------------------------------------------------------

// One event: `seq` is its number in the life of the set, and `kind` the word for it. `sector` and
// `count` are the sectors that it concerns.
struct EventReport {
  std::uint64_t seq = 0;
  std::string time;
  std::string severity;
  std::string kind;
  std::optional<Sector> sector;  // empty if it concerns no sector; the count is 0 then
  SectorCount count;
  std::string text;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EventReport, seq, time, severity, kind, sector, count, text)

[[nodiscard]] EventReport report_of(const format::Event& event);
[[nodiscard]] std::vector<EventReport> reports_of(const std::vector<format::Event>& events);

struct EventsReply {
  std::vector<EventReport> events;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EventsReply, events)

struct EventsRequest {
  static constexpr const char* kVerb = "events";
  using Reply = EventsReply;
  std::uint64_t after = 0;  // only events with a higher number are sent
  bool follow = false;      // send an answer for every batch, until one of the two sides closes
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EventsRequest, after, follow)

// --- main, by state ----------------------------------------------------------------------------

// The whole of main, sector by sector.
struct DiskMap {
  SectorCount size;
  std::vector<format::Extent> extents;         // sorted; sectors in none of them are good
  SectorCount unit{1};                         // main's logical block
  std::uint64_t sequence = 0;                  // a commit that is no newer than the extents
  std::vector<remap::FailingPlace> failing{};  // remapped sectors that do not read now, sorted
};
// See table_json.hpp for the form of its lists.
void to_json(nlohmann::json& json, const DiskMap& map);
void from_json(const nlohmann::json& json, DiskMap& map);

struct ExtentsRequest {
  static constexpr const char* kVerb = "extents";
  using Reply = DiskMap;
};

// --- work by hand ------------------------------------------------------------------------------

// "first" and "count" of a request on a range. Any other than a range of a disk is an error of
// usage.
struct RangeRequest {
  SectorRange range;

  [[nodiscard]] static Error malformed();
};
void to_json(nlohmann::json& json, const RangeRequest& request);
void from_json(const nlohmann::json& json, RangeRequest& request);

struct RemapReply {
  SectorCount relocated_sectors;
  SectorCount lost_sectors;
  SectorCount untouched_sectors;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RemapReply, relocated_sectors, lost_sectors, untouched_sectors)

struct RemapRequest : RangeRequest {
  static constexpr const char* kVerb = "remap";
  using Reply = RemapReply;
};

struct UnremapReply {
  SectorCount returned_sectors;
  SectorCount kept_sectors;
  SectorCount untouched_sectors;
  Sector first_kept_sector;  // if one was kept
  int error = 0;             // "errno", why; 0: main returned other data than was written
};
void to_json(nlohmann::json& json, const UnremapReply& reply);
void from_json(const nlohmann::json& json, UnremapReply& reply);

struct UnremapRequest : RangeRequest {
  static constexpr const char* kVerb = "unremap";
  using Reply = UnremapReply;
};

// The answers of a retry: some on the way, to show how far it is, and the last one is `finished`.
// The others count only `asked_sectors` and `tried_sectors`.
struct RetryReply {
  bool finished = false;
  SectorCount asked_sectors;
  SectorCount tried_sectors;
  SectorCount recovered_sectors;
  SectorCount good_sectors;
  SectorCount lost_sectors;
  SectorCount suspect_sectors;
  int read_error = 0;  // errno of the last read that failed; 0: none did
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RetryReply, finished, asked_sectors, tried_sectors,
                                   recovered_sectors, good_sectors, lost_sectors, suspect_sectors,
                                   read_error)

struct RetryRequest : RangeRequest {
  static constexpr const char* kVerb = "retry";
  using Reply = RetryReply;
};

struct MarkReply {
  SectorCount lost_sectors;
  SectorCount suspect_sectors;
  SectorCount unchanged_sectors;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MarkReply, lost_sectors, suspect_sectors, unchanged_sectors)

struct MarkRequest {
  static constexpr const char* kVerb = "mark";
  using Reply = MarkReply;
  RangeList lost;
  RangeList suspect;
  bool dry_run = false;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MarkRequest, lost, suspect, dry_run)

struct BackfillReply {
  SectorCount filled_sectors;
  SectorCount kept_gone_sectors;
  SectorCount unchanged_sectors;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BackfillReply, filled_sectors, kept_gone_sectors,
                                   unchanged_sectors)

// The data of all ranges comes beside it, in a sealed file in memory (os/sealed_memory.hpp): the
// process of the set copies it, so it must never wait for a file that may lie on its own device.
struct BackfillRequest {
  static constexpr const char* kVerb = "backfill";
  using Reply = BackfillReply;
  // The most that one request may fill. The process of the set copies it into its memory, which is
  // locked, and users who write there wait meanwhile. A multiple of every logical block.
  static constexpr SectorCount kMostSectors{1024};

  RangeList ranges;
  std::uint64_t as_of = 0;  // the commit of the table by which the ranges were chosen
  bool gone = false;        // gone sectors, too
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BackfillRequest, ranges, as_of, gone)

// Takes over the room of a spare that became larger. Before and after, in sectors.
struct SpareGrowReply {
  std::string spare;  // its path
  SectorCount size_before_sectors;
  SectorCount size_sectors;
  SectorCount capacity_sectors;
  SectorCount free_sectors;
  std::uint64_t entries = 0;
  std::uint64_t entry_capacity = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SpareGrowReply, spare, size_before_sectors, size_sectors,
                                   capacity_sectors, free_sectors, entries, entry_capacity)

[[nodiscard]] SpareGrowReply report_of(const set::SpareGrowth& growth);

struct SpareGrowRequest {
  static constexpr const char* kVerb = "spare-grow";
  using Reply = SpareGrowReply;
  std::optional<std::uint64_t> size_bytes;  // that an image is to have; else what is there is taken
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SpareGrowRequest, size_bytes)

// --- the scanner -------------------------------------------------------------------------------

struct ScrubReply {
  ScrubReport scrub;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ScrubReply, scrub)

struct ScrubRequest {
  static constexpr const char* kVerb = "scrub";
  using Reply = ScrubReply;
  std::string action;                 // start pause resume stop
  bool now = false;                   // of start: at full speed
  std::optional<std::uint64_t> rate;  // of start: bytes a second
  std::optional<std::string> window;  // of start: HH:MM-HH:MM
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ScrubRequest, action, now, rate, window)

// --- copies ------------------------------------------------------------------------------------

struct SettleReply {
  Uuid run;
  std::uint64_t writes = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SettleReply, run, writes)

// Waits for the writes in flight.
struct SettleRequest {
  static constexpr const char* kVerb = "settle";
  using Reply = SettleReply;
};

// A verified copy was made: the clean stop is to record it.
struct CopiedRequest {
  static constexpr const char* kVerb = "copied";
  using Reply = DoneReply;
  Uuid run;
  std::uint64_t writes = 0;
  RangeList left_out;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CopiedRequest, run, writes, left_out)

}  // namespace dmremap::control
