// SPDX-License-Identifier: GPL-2.0-or-later
#include <functional>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "lookup.hpp"
#include "measure.hpp"
#include "other_maps.hpp"
#include "table/live_table.hpp"
#include "terabytes.hpp"

namespace dmremap::bench {

namespace {

volatile std::uint64_t sink = 0;  // what is found is needed

// Rounds look at other places, and so do ways in one round, so that none warms the caches for
// another.
constexpr std::size_t kSlices = 32;

struct Walk {
  std::vector<Sector> places;  // kSlices slices
  std::size_t each = 0;        // lookups of one measurement
  // Does each lookup need the answer of the one before, or may the processor begin several?
  bool one_after_another = false;
};

template <typename Look>
Way walking(const Walk& walk, std::size_t first_slice, Look look) {
  // 0, which the compiler cannot know.
  static volatile std::uint64_t nothing = 0;
  return {{}, [&walk, look, slice = first_slice]() mutable {
            const Sector* const at = walk.places.data() + slice * walk.each;
            slice = (slice + 1) % kSlices;
            const std::uint64_t mask = walk.one_after_another ? nothing : 0;
            std::uint64_t sum = 0;
            if (walk.one_after_another) {
              std::uint64_t last = 0;
              for (std::size_t i = 0; i < walk.each; ++i) {
                last = look({{at[i].value + (last & mask)}, kRequest});
                sum += last;
              }
            } else {
              for (std::size_t i = 0; i < walk.each; ++i) sum += look({at[i], kRequest});
            }
            sink = sink + sum;
          }};
}

Found place_of(const table::Piece& piece) {
  return piece.state == format::State::good ? 0 : piece.spare.sector.value;
}

// All there is to be compared, with the same extents.
class Contenders {
 public:
  explicit Contenders(const std::vector<format::Extent>& extents)
      : vector_(extents),
        map_(extents),
        btree_(extents),
        hash_(extents),
        table_(extents, {}),
        live_(kDiskSize, table_, system_scheduling()) {}

  void print(const std::string& size, const Walk& walk, unsigned rounds) {
    const std::vector<std::string> names{"sorted vector",
                                         "std::map",
                                         "absl::btree_map",
                                         "hash, an entry a sector",
                                         "our table alone",
                                         "ours: region bit, then table",
                                         "ours, with the request's pin"};
    const auto table = [this](SectorRange range) {
      return place_of(table_.piece_at(range.first, range.end()));
    };
    const auto lookup = [this](SectorRange range) {
      if (live_.clean(range)) return Found{0};
      return place_of(live_.snapshot().table.piece_at(range.first, range.end()));
    };
    const auto pinned = [this, lookup](SectorRange range) {
      const table::Pins::Pin pin = live_.pin(range);
      return lookup(range);
    };
    const auto found = compare_all(
        {walking(walk, 0, [this](SectorRange range) { return vector_.look(range); }),
         walking(walk, 4, [this](SectorRange range) { return map_.look(range); }),
         walking(walk, 8, [this](SectorRange range) { return btree_.look(range); }),
         walking(walk, 12, [this](SectorRange range) { return hash_.look(range); }),
         walking(walk, 16, table), walking(walk, 20, lookup), walking(walk, 24, pinned)},
        rounds);
    const double to_ns = 1e9 / static_cast<double>(walk.each);
    for (std::size_t i = 0; i < names.size(); ++i) {
      print_row({i == 0 ? size : std::string(), names[i], text(found[i].seconds, to_ns, 1),
                 text(found[i].ratio)});
    }
    // Nobody else's memory in between: as if there were nothing but lookups.
    const auto alone = compare_all({walking(walk, 0, lookup)}, rounds);
    print_row(
        {"", "the same with the caches to itself", text(alone.front().seconds, to_ns, 1), ""});
  }

 private:
  SortedVector vector_;
  RedBlackTree map_;
  BTree btree_;
  HashPerSector hash_;
  table::Table table_;
  table::LiveTable live_;
};

struct Kind {
  std::string name;
  std::function<std::vector<Sector>(Terabytes&, std::size_t)> places;
  bool needs_extents;
};

void print(const Kind& kind, bool one_after_another, const std::vector<std::uint64_t>& sizes,
           std::size_t lookups, unsigned rounds) {
  fmt::print("\n### {}, {}\n\n{} rounds of {} lookups of 4 KiB on 4 TiB, extents of 4 KiB\n\n",
             kind.name,
             one_after_another ? "each lookup after the answer of the one before"
                               : "lookups that do not wait for each other",
             rounds, lookups);
  print_titles({"extents", "structure", "ns a lookup", "of the sorted vector"});
  for (const std::uint64_t size : sizes) {
    if (size == 0 && kind.needs_extents) continue;
    Terabytes disk(size);
    Contenders contenders(disk.extents());
    const Walk walk{kind.places(disk, kSlices * lookups), lookups, one_after_another};
    contenders.print(fmt::format("{}", size), walk, rounds);
  }
}

}  // namespace

void print_lookups(const std::vector<std::uint64_t>& sizes, std::size_t lookups, unsigned rounds) {
  const std::vector<Kind> kinds{
      {"A miss", &Terabytes::misses, false},
      {"A hit", &Terabytes::hits, true},
      {"A miss in a region that has an extent", &Terabytes::near_misses, true}};
  for (const Kind& kind : kinds) {
    for (const bool one_after_another : {true, false}) {
      print(kind, one_after_another, sizes, lookups, rounds);
    }
  }
}

}  // namespace dmremap::bench
