// SPDX-License-Identifier: GPL-2.0-or-later
// What goes over a set's socket, one struct a message: its members are the fields of its JSON.
//
//   request   {"version":1,"verb":"remap","first":2048,"count":8}
//   answer    {"version":1,"ok":true,"relocated_sectors":8,...}
//             {"version":1,"ok":false,"error":{"code","what","where","hint"}}
//
// A field that is missing or of another type is an error (protocol), on both sides: the other side
// is of another version, and nothing is made up for it. A request names its verb and its answer.
// What does the work is a handler of that request (server.hpp), registered in src/daemon.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "control/json_types.hpp"
#include "format/event.hpp"
#include "format/extent.hpp"
#include "remap/device/failing_places.hpp"
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

// That it was done, and nothing else.
struct DoneReply {};

struct PingRequest {
  static constexpr const char* kVerb = "ping";
  using Reply = DoneReply;
};

struct StopRequest {
  static constexpr const char* kVerb = "stop";
  using Reply = DoneReply;
};

// --- a set as a whole: the object of `status --json` ------------------------------------------

struct MainReport {
  std::string path;
  std::uint64_t read_errors = 0;
  std::uint64_t write_errors = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MainReport, path, read_errors, write_errors)

struct SpareReport {
  std::string path;
  Uuid uuid;
  std::string state;
  std::uint64_t capacity_sectors = 0;
  std::uint64_t free_sectors = 0;
  std::uint64_t retired_sectors = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SpareReport, path, uuid, state, capacity_sectors, free_sectors,
                                   retired_sectors)

struct CopiesReport {
  std::uint64_t good = 0;
  std::uint64_t total = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(CopiesReport, good, total)

struct IoReport {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t flushes = 0;
  std::uint64_t remapped_reads = 0;
  std::uint64_t remapped_writes = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(IoReport, reads, writes, flushes, remapped_reads,
                                   remapped_writes)

// One way in which a set is offered.
struct ExportReport {
  std::string kind;                   // block fuse nbd
  std::string where;                  // now
  std::optional<std::string> stable;  // at every start; none: there is no such name
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ExportReport, kind, where, stable)

struct SetReport {
  int json_version = 1;
  std::string name;
  Uuid uuid;
  std::string state;  // the worst condition
  std::vector<std::string> conditions;
  std::string reason;
  bool doubtful = false;
  std::uint64_t sequence = 0;
  std::uint64_t term = 0;
  std::optional<Uuid> run;  // none: it does not run
  std::uint64_t size_sectors = 0;
  std::uint64_t remapped_sectors = 0;
  std::uint64_t lost_sectors = 0;  // those that are gone are some
  std::uint64_t gone_sectors = 0;
  std::uint64_t suspect_sectors = 0;
  std::uint64_t extents = 0;
  MainReport main;
  std::vector<SpareReport> spares;
  CopiesReport copies;
  IoReport io;
  bool needs_attention = false;
  std::optional<std::int64_t> pid;  // none: it does not run
  std::vector<ExportReport> exports;

  [[nodiscard]] bool has_condition(const std::string& condition) const;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SetReport, json_version, name, uuid, state, conditions, reason,
                                   doubtful, sequence, term, run, size_sectors, remapped_sectors,
                                   lost_sectors, gone_sectors, suspect_sectors, extents, main,
                                   spares, copies, io, needs_attention, pid, exports)

// Without pid and exports, which only the process of a running set knows.
[[nodiscard]] SetReport report_of(const set::Status& status);

struct StatusReply {
  SetReport status;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StatusReply, status)

struct StatusRequest {
  static constexpr const char* kVerb = "status";
  using Reply = StatusReply;
};

// What a process that serves a set tells the one that started it: the object of `start --json`.
struct StartReport {
  std::string name;
  std::vector<ExportReport> exports;
  std::vector<std::string> warnings;  // what the user who starts it should know
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StartReport, name, exports, warnings)

struct StartReply {
  StartReport served;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StartReply, served)

// --- events ------------------------------------------------------------------------------------

struct EventReport {
  std::uint64_t seq = 0;
  std::string time;
  std::string severity;
  std::string kind;
  std::optional<Sector> sector;  // none: it concerns no sector, and the count is 0
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
  std::uint64_t after = 0;  // a number; only later ones are told
  bool follow = false;      // an answer for every batch, until one of the two sides closes
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(EventsRequest, after, follow)

// --- main, by state ----------------------------------------------------------------------------

struct DiskMap {
  SectorCount size;
  std::vector<format::Extent> extents;         // sorted; what is in none is good
  SectorCount unit{1};                         // main's logical block
  std::uint64_t sequence = 0;                  // of a commit that all of it may be newer than
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
  // What the set's process copies into its memory, which is locked, and what is filled at once:
  // users wait meanwhile who write there. A multiple of every logical block.
  static constexpr SectorCount kMostSectors{1024};

  RangeList ranges;
  std::uint64_t as_of = 0;  // the commit of the table by which the ranges were chosen
  bool gone = false;        // gone sectors, too
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(BackfillRequest, ranges, as_of, gone)

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
