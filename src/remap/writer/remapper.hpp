// SPDX-License-Identifier: GPL-2.0-or-later
// The one thread that changes the table. Jobs that wait at the same time become one commit:
//
//   apply all, data to the spare   a crash here leaves spare sectors that nothing names
//   flush the spare                the data is durable before the mapping is (promise 3)
//   commit                         the mapping is durable; a crash before it is acknowledged leaves
//                                  the former table or this one, and both are right: no one has
//                                  been told anything
//   publish                        requests see it
//   wake the callers               only now is anything acknowledged
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "remap/device/spare_trial.hpp"
#include "remap/disk.hpp"
#include "remap/writer/change.hpp"
#include "remap/writer/spare_use.hpp"

namespace dmremap::remap {

// As an error of who asked for the change.
[[nodiscard]] tl::unexpected<Error> error_of(Outcome outcome, const DataPath& path);

class Remapper {
 public:
  // Starts the thread. `store` and `path` outlive this. `content`: the acknowledged commit, whose
  // extents and retired are `table`.
  Remapper(DataPath& path, metadata::Store& store, const table::Table& table,
           const format::Content& content);
  ~Remapper();

  // All items or none; waits until that is decided. Any thread, pinned or not. `deadline_ns`: no
  // place on the spare is looked for any longer; by default as long as a request has.
  [[nodiscard]] Outcome run(std::span<const Item> items);
  // Not taken, `failed`, if the caller of the write that brought them was told already that it
  // failed (`timer`): from then on later writes of the range are here first.
  [[nodiscard]] Outcome run(std::span<const Item> items, std::uint64_t deadline_ns,
                            const RequestTimer* timer = nullptr);
  // Commits the current table with the records changed by `edit`.
  [[nodiscard]] Outcome run_record(const RecordEdit& edit);

  // Commits that the spare is in use up to `size`, and then hands out what came to it. Done too if
  // another growth, which came first, was as large. Error usage: one came first after which `size`
  // is none that the spare may grow to (format::largest_growth).
  [[nodiscard]] Result<Outcome> run_growth(SectorCount size);

  // As Store::check_copy(), between two commits.
  [[nodiscard]] Result<metadata::SlotDamage> run_copy_check(unsigned copy);

  // Whether that spare takes writes now.
  [[nodiscard]] SpareTrial run_trial(SpareIndex spare);
  // Attaches that spare to the device that its reopener has `found`, between two commits. False:
  // there was a commit since it was found, and nothing was attached.
  [[nodiscard]] bool run_reattachment(SpareIndex spare, SpareReopener& reopener,
                                      const SpareReopener::Found& found);

  // Finishes what waits, then ends the thread.
  void stop();

 private:
  struct Reattachment {
    SpareReopener* reopener = nullptr;
    metadata::CommitName last;
    bool done = false;
  };
  struct CopyCheck {
    unsigned copy = 0;
    Result<metadata::SlotDamage> found;
  };
  struct Job {
    std::span<const Item> items;
    const RecordEdit* record = nullptr;
    std::optional<SectorCount> grown;  // what `record` says of the spare's size
    bool is_outgrown = false;          // another growth came first, and `grown` is no size any more
    std::uint64_t deadline_ns = 0;
    const RequestTimer* timer = nullptr;
    // A job with one of these, which are to be filled, has nothing else to do.
    SpareTrial* trial = nullptr;
    Reattachment* reattachment = nullptr;
    CopyCheck* copy_check = nullptr;
    SpareIndex spare = kFirstSpare;  // of a trial or reattachment
    Outcome outcome = Outcome::failed;
    bool changes = false;  // the table, or by a record
    bool finished = false;
  };
  using Jobs = std::vector<Job*>;

  // Takes over what a list or a measurement doubts: nobody wrote or lost anything.
  [[nodiscard]] static bool is_of_list(const Job& job);
  // Says of nothing but sectors that a device could not read or keep.
  [[nodiscard]] static bool is_loss(const Job& job);

  Outcome submit(Job& job);
  void loop();
  // Growths one by one, in order: each builds on what the one before has committed.
  void execute_all(const Jobs& all);
  void execute(const Jobs& all);
  // Does those that concern a spare as a device, and returns the others.
  [[nodiscard]] Jobs run_device_jobs(const Jobs& jobs);
  void reattach(SpareDevice& spare, Reattachment& to);
  [[nodiscard]] Result<metadata::SlotDamage> check_copy_now(unsigned copy);
  // Whether the last commit of the store is still the last one on the spare.
  [[nodiscard]] bool is_alone();
  [[nodiscard]] SpareTrial try_spare_now(SpareDevice& spare);
  // Those whose sectors users reach through this process alone from now on; the others failed.
  [[nodiscard]] Jobs withhold(const Jobs& jobs);
  [[nodiscard]] Jobs apply_all(const Jobs& jobs, Change& change);
  enum class Recording { done, full, failed };
  void commit(const Jobs& jobs, Change& change);
  Recording record(const Jobs& jobs, const table::Table& table);
  Recording record_less(Job& job, Change& change, table::Table& live);
  [[nodiscard]] std::vector<SectorRange> marks_that_may_wait(const Job& job,
                                                             const table::Table& table) const;
  void renew_evidence(format::Records& records, const Jobs& jobs);
  // If the store went read-only, so does the set.
  void lose_store();
  void publish(const Change& change, const table::Table& table);
  [[nodiscard]] bool has_entries_for_growth() const;
  // Nothing: it is to be committed. Else what becomes of it.
  [[nodiscard]] std::optional<Outcome> prepare_growth(Job& job);
  [[nodiscard]] bool lay_signposts(SectorCount size);
  // After the commit of a growth.
  void use_new_room(SectorCount size);
  void note_outcome(const Job& job);

  DataPath& path_;
  metadata::Store& store_;
  PlaceSearch search_;
  SpareUse spare_use_;
  table::Table table_;
  // What a full table had no room for: in force, and part of the next commit that has room.
  std::vector<format::Extent> unrecorded_bad_;   // as Change::bad()
  std::vector<SectorRange> unrecorded_marks_;    // lost and gone sectors of table_
  format::Records base_;                         // of the last commit
  std::optional<std::uint64_t> evidence_at_ns_;  // when a commit last took it along

  Mutex mutex_;
  Condition wake_;
  Condition finished_;
  Jobs waiting_;
  bool stopping_ = false;
  Thread thread_;
};

}  // namespace dmremap::remap
