/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of the target "remap" share: the way of bios, and messages. */
#ifndef DM_REMAP_H
#define DM_REMAP_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/ctype.h>
#include <linux/device-mapper.h>
#include <linux/kernel.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "dm-remap-protocol.h"

#define DM_MSG_PREFIX DM_REMAP_TARGET

/* The sign bit of a region's word: "word < 0" is the question that every bio asks. */
#define MARKED INT_MIN

/*
 * word:  MARKED, and in the other bits how many bios are in flight on main. One word holds both, so
 *        the order of its changes decides every race: a bio that is counted before the mark is
 *        seen by the drain, one that comes after it sees the mark and takes itself out again.
 * stamp: the flush epoch in which a write to main last completed here. Failed writes count: they
 *        may have written.
 */
struct region {
	atomic_t word;
	atomic_t stamp;
};

struct slow_request {
	sector_t sector;
	u32 sectors;
	u32 ms;
	bool write;
};

struct remap {
	struct block_device *main_bdev;
	struct region *regions;
	unsigned int shift;		/* of a sector, to its region */
	u32 nr_regions;
	u32 slow_jiffies;		/* a request to main that takes longer is remembered */
	atomic_t epoch;			/* of the writes that complete now; a flush ends it */

	atomic_t durable ____cacheline_aligned_in_smp;	/* the last epoch that is durable */
	atomic_t nr_marked;
	atomic_t at_engine;		/* bios that the engine has not answered */
	atomic64_t sent;		/* bios sent to the engine, in all */
	atomic64_t escalated;		/* those of them that main had failed */
	atomic64_t failed;		/* those that the engine failed too */
	wait_queue_head_t drained;
	u64 instance;

	spinlock_t lock;		/* of the two below, also in interrupts */
	struct bio_list parked;		/* failed by main, not yet sent to the engine */
	u32 nr_slow;
	struct slow_request slow[DM_REMAP_SLOW_KEPT];

	struct work_struct work;
	struct workqueue_struct *wq;
	struct dm_dev *main;
	struct dm_dev *engine;
};

static inline bool is_marked(const struct region *region)
{
	return atomic_read(&region->word) < 0;
}

/* Epochs wrap around, so they are compared by their distance. */
static inline bool epoch_after(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}

static inline void raise_epoch(atomic_t *to, u32 epoch)
{
	int old = atomic_read(to);

	while (unlikely(epoch_after(epoch, old)) && !atomic_try_cmpxchg(to, &old, epoch))
		;
}

/* Of what is written in decimal digits alone. */
static inline int parse_u32(const char *text, u32 *value)
{
	return isdigit(*text) && !kstrtou32(text, 10, value) ? 0 : -EINVAL;
}

void remap_wake_drains(struct remap *c);
int remap_message(struct dm_target *ti, unsigned int argc, char **argv,
		  char *result, unsigned int maxlen);

#endif
