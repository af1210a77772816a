// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Device-mapper target "remap": requests to the sound parts of a disk go straight to it, all
 * others to an engine in user space. docs/kernel.md has its table, status and messages.
 *
 * A bio in clear regions is sent to main. One that touches a marked region, and one that main
 * failed, is sent to the engine device, which is as large as main and served by user space: there
 * the engine knows each sector. Flushes and FUA writes always go there, as the engine alone
 * flushes main.
 *
 * What must hold:
 *  - A marked region has no bio on its way to main once it is drained (struct region).
 *  - A region written on main after the last durable epoch has a stamp above it, from before the
 *    write is reported and before it stops being counted in flight.
 *  - A table starts with all regions marked and dirty, so that one which is loaded behind the
 *    engine's back hides neither a bad sector nor a write that was never flushed.
 *  - Nothing here allocates memory while a bio is on its way.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

#include "dm-remap.h"

/* A table takes no more than this part of the machine's memory. */
#define MEMORY_PART 4

/* Of one bio: they are counted one by one, in interrupts too. */
#define SPAN_REGIONS_MAX 4096

/* remap_io.nr_regions of bios that are not counted on main. */
#define AT_ENGINE 0
#define FLUSH_AT_ENGINE U32_MAX

/* Kept with each bio from map to end_io: what it needs to be sent a second time. */
struct remap_io {
	struct bvec_iter iter;
	u32 first;			/* region */
	u32 nr_regions;			/* in which it is counted, or one of the above */
	u32 start;			/* jiffies */
	union {
		u32 epoch;		/* that a flush ended */
		unsigned short flags;	/* bi_flags, of others */
	};
};

noinline void remap_wake_drains(struct remap *c)
{
	if (wq_has_sleeper(&c->drained))
		wake_up_all(&c->drained);
}

/* The bio is still in flight for device mapper, so that the table stays while drains are woken. */
static inline void leave_region(struct remap *c, struct region *region)
{
	if (unlikely(atomic_dec_return(&region->word) == MARKED))
		remap_wake_drains(c);
}

/*
 * True if the region is clear; the bio is counted in it then. Where the mark is seen at once the
 * word is left alone, so that bios for the engine keep no drain waiting.
 */
static inline bool enter_region(struct remap *c, struct region *region)
{
	if (unlikely(is_marked(region)))
		return false;
	if (likely(atomic_inc_return(&region->word) > 0))
		return true;
	leave_region(c, region);
	return false;
}

/*
 * A flush ends the epoch of the writes that were reported before it. FUA ends none, but only the
 * engine can tell a failed write from a failed flush.
 */
static noinline int map_to_engine(struct remap *c, struct bio *bio, struct remap_io *io)
{
	io->nr_regions = AT_ENGINE;
	if (bio->bi_opf & REQ_PREFLUSH) {
		io->nr_regions = FLUSH_AT_ENGINE;
		io->epoch = atomic_fetch_inc(&c->epoch);
	}
	atomic_inc(&c->at_engine);
	atomic64_inc(&c->sent);
	bio_set_dev(bio, c->engine->bdev);
	return DM_MAPIO_REMAPPED;
}

/*
 * A bio over several regions: the leading run of like ones. The rest comes as another bio. One with
 * NOWAIT is not cut: that its rest would have to wait would be told when the first part completes,
 * where nobody can submit the request again.
 */
static noinline int map_span(struct remap *c, struct bio *bio, struct remap_io *io,
			     u32 first, u32 last)
{
	bool direct = bio_sectors(bio) && enter_region(c, &c->regions[first]);
	bool refused;
	u32 end = first;

	do {
		end++;
	} while (end <= last && end - first < SPAN_REGIONS_MAX &&
		 (direct ? enter_region(c, &c->regions[end]) : is_marked(&c->regions[end])));

	refused = end <= last && (bio->bi_opf & REQ_NOWAIT);
	if (end <= last && !refused)
		dm_accept_partial_bio(bio, ((sector_t)end << c->shift) - bio->bi_iter.bi_sector);
	if (direct) {
		io->iter = bio->bi_iter;
		io->nr_regions = end - first;
		bio_set_dev(bio, c->main_bdev);
	} else {
		map_to_engine(c, bio, io);
	}
	if (!refused)
		return DM_MAPIO_REMAPPED;
	bio_wouldblock_error(bio);
	return DM_MAPIO_SUBMITTED;
}

static int remap_map(struct dm_target *ti, struct bio *bio)
{
	struct remap *c = ti->private;
	struct remap_io *io = dm_per_bio_data(bio, sizeof(*io));
	u32 first = bio->bi_iter.bi_sector >> c->shift;
	u32 last = (bio_end_sector(bio) - 1) >> c->shift;

	if (unlikely(bio->bi_opf & (REQ_PREFLUSH | REQ_FUA)))
		return map_to_engine(c, bio, io);

	io->first = first;
	io->start = jiffies;
	io->flags = bio->bi_flags;
	if (unlikely(first != last))
		return map_span(c, bio, io, first, last);
	if (unlikely(!enter_region(c, &c->regions[first])))
		return map_to_engine(c, bio, io);

	io->iter = bio->bi_iter;
	io->nr_regions = 1;
	bio_set_dev(bio, c->main_bdev);
	return DM_MAPIO_REMAPPED;
}

/* Whether the engine could do better than main, or anyone waits for it. */
static bool escalates(const struct bio *bio, blk_status_t error)
{
	bool trims = bio_op(bio) == REQ_OP_DISCARD || bio_op(bio) == REQ_OP_WRITE_ZEROES;

	if (error == BLK_STS_NOTSUPP || error == BLK_STS_AGAIN || error == BLK_STS_DM_REQUEUE)
		return false;
#ifdef BLK_STS_INVAL
	if (error == BLK_STS_INVAL)
		return false;
#endif
	/* A disk that turns out not to trim. Device mapper stops offering it. */
	if (error == BLK_STS_TARGET && trims)
		return false;
	/* A page that was only read ahead is read again when somebody wants it. */
	return !(bio->bi_opf & REQ_RAHEAD);
}

static noinline int escalate(struct remap *c, struct bio *bio, struct remap_io *io,
			     blk_status_t error)
{
	unsigned long flags;

	if (!escalates(bio, error))
		return DM_ENDIO_DONE;

	/*
	 * As it was when it was mapped. Without __bi_remaining a bio that is split on the engine
	 * device's queue would complete with its first part, and a poller would ask main's queue
	 * number of the engine's.
	 */
	bio->bi_iter = io->iter;
	bio->bi_flags = io->flags;
	bio->bi_status = BLK_STS_OK;
	bio->bi_opf &= ~(REQ_NOWAIT | REQ_POLLED);
	WRITE_ONCE(bio->bi_cookie, BLK_QC_T_NONE);
	atomic_set(&bio->__bi_remaining, 1);

	io->nr_regions = AT_ENGINE;
	atomic_inc(&c->at_engine);
	atomic64_inc(&c->sent);
	atomic64_inc(&c->escalated);
	/* Queued under the lock: once it is dropped, the bio may complete and the table be gone. */
	spin_lock_irqsave(&c->lock, flags);
	bio_list_add(&c->parked, bio);
	queue_work(c->wq, &c->work);
	spin_unlock_irqrestore(&c->lock, flags);
	return DM_ENDIO_INCOMPLETE;
}

/* Submitting may wait for the engine, which an interrupt cannot. */
static void submit_parked(struct work_struct *work)
{
	struct remap *c = container_of(work, struct remap, work);
	struct bio_list bios;
	struct bio *bio;

	spin_lock_irq(&c->lock);
	bios = c->parked;
	bio_list_init(&c->parked);
	spin_unlock_irq(&c->lock);

	while ((bio = bio_list_pop(&bios))) {
		bio_set_dev(bio, c->engine->bdev);
		submit_bio_noacct(bio);
	}
}

static noinline int engine_answered(struct dm_target *ti, struct remap_io *io, blk_status_t error)
{
	struct remap *c = ti->private;
	bool flush = io->nr_regions == FLUSH_AT_ENGINE;

	atomic_dec(&c->at_engine);
	if (!error) {
		if (flush)
			raise_epoch(&c->durable, io->epoch);
		return DM_ENDIO_DONE;
	}
	/*
	 * Within a suspend that does not flush, the request waits for the next table, which may
	 * have another engine device. A flush does not: the next one may succeed, and would hide
	 * that this one lost writes.
	 */
	if (!flush && dm_noflush_suspending(ti))
		return DM_ENDIO_REQUEUE;
	if (error != BLK_STS_AGAIN)
		atomic64_inc(&c->failed);
	return DM_ENDIO_DONE;
}

static noinline void remember_slow(struct remap *c, struct bio *bio, struct remap_io *io, u32 took)
{
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	c->slow[c->nr_slow++ % DM_REMAP_SLOW_KEPT] = (struct slow_request) {
		.sector = io->iter.bi_sector,
		.sectors = io->iter.bi_size >> SECTOR_SHIFT,
		.ms = jiffies_to_msecs(took),
		.write = op_is_write(bio_op(bio)),
	};
	spin_unlock_irqrestore(&c->lock, flags);
}

/* The stamp comes before the count falls: those of a drained region are complete. */
static inline void leave_main(struct remap *c, struct region *region, const struct bio *bio)
{
	if (op_is_write(bio_op(bio)))
		raise_epoch(&region->stamp, atomic_read(&c->epoch));
	leave_region(c, region);
}

static noinline void leave_span(struct remap *c, struct region *region, u32 nr, struct bio *bio)
{
	for (; nr; nr--)
		leave_main(c, region++, bio);
}

static int remap_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct remap *c = ti->private;
	struct remap_io *io = dm_per_bio_data(bio, sizeof(*io));
	u32 nr = io->nr_regions;
	u32 took;

	if (unlikely(nr == AT_ENGINE || nr == FLUSH_AT_ENGINE))
		return engine_answered(ti, io, *error);

	took = (u32)jiffies - io->start;
	if (unlikely(took > READ_ONCE(c->slow_jiffies)))
		remember_slow(c, bio, io, took);
	if (likely(nr == 1))
		leave_main(c, &c->regions[io->first], bio);
	else
		leave_span(c, &c->regions[io->first], nr, bio);
	return likely(!*error) ? DM_ENDIO_DONE : escalate(c, bio, io, *error);
}

static void remap_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
			 char *result, unsigned int maxlen)
{
	struct remap *c = ti->private;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		DMEMIT("protocol %u instance %016llx", DM_REMAP_PROTOCOL, c->instance);
		DMEMIT(" regions %u marked %d sent %lld waiting %d escalated %lld failed %lld",
		       c->nr_regions, atomic_read(&c->nr_marked), atomic64_read(&c->sent),
		       atomic_read(&c->at_engine), atomic64_read(&c->escalated),
		       atomic64_read(&c->failed));
		DMEMIT(" epoch %u durable %u", (u32)atomic_read(&c->epoch),
		       (u32)atomic_read(&c->durable));
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s %s %u", c->main->name, c->engine->name, 1U << c->shift);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",main=%s,engine=%s,region_sectors=%u;", c->main->name, c->engine->name,
		       1U << c->shift);
		break;
	}
}

static int remap_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct remap *c = ti->private;

	return fn(ti, c->main, 0, ti->len, data) ?: fn(ti, c->engine, 0, ti->len, data);
}

/* Also of a table that was half made. The worker uses the devices, so it goes before they do. */
static void remap_dtr(struct dm_target *ti)
{
	struct remap *c = ti->private;

	if (c->wq)
		destroy_workqueue(c->wq);
	if (c->engine)
		dm_put_device(ti, c->engine);
	if (c->main)
		dm_put_device(ti, c->main);
	vfree(c->regions);
	kfree(c);
}

static int take_device(struct dm_target *ti, const char *path, struct dm_dev **dev)
{
	struct remap *c = ti->private;
	int r = dm_get_device(ti, path, dm_table_get_mode(ti->table), dev);

	if (r)
		ti->error = "Cannot open device";
	else if (bdev_is_zoned((*dev)->bdev))
		ti->error = "Zoned devices are not supported";
	else if (bdev_nr_sectors((*dev)->bdev) < ti->len)
		ti->error = "Device is smaller than the target";
	else if (bdev_logical_block_size((*dev)->bdev) >> SECTOR_SHIFT > 1U << c->shift)
		ti->error = "Regions are smaller than the blocks of the device";
	else if (c->main == *dev && c->engine == *dev)
		ti->error = "Main and engine are the same device";
	else if (c->engine == *dev && !bdev_write_cache((*dev)->bdev))
		/* The block layer would answer flushes itself, and take FUA off. */
		ti->error = "Engine device has no write cache, so it would get no flushes";
	else
		return 0;
	return r ?: -EINVAL;
}

static int make_regions(struct dm_target *ti)
{
	struct remap *c = ti->private;
	sector_t nr = (ti->len + (1U << c->shift) - 1) >> c->shift;
	u32 i;

	if (nr > DM_REMAP_REGIONS_MAX ||
	    nr * sizeof(*c->regions) * MEMORY_PART > (u64)totalram_pages() << PAGE_SHIFT) {
		ti->error = "Too many regions: make them larger";
		return -EINVAL;
	}
	ti->error = "Cannot allocate regions";
	c->nr_regions = nr;
	c->regions = vmalloc(array_size(nr, sizeof(*c->regions)));
	if (!c->regions)
		return -ENOMEM;
	/* Stamped by an epoch that a flush has not made durable: all marked, all dirty. */
	atomic_set(&c->epoch, 2);
	atomic_set(&c->durable, 0);
	atomic_set(&c->nr_marked, nr);
	for (i = 0; i < nr; i++) {
		atomic_set(&c->regions[i].word, MARKED);
		atomic_set(&c->regions[i].stamp, 1);
		cond_resched();
	}
	return 0;
}

static int remap_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	u32 region_sectors = DM_REMAP_REGION_SECTORS;
	struct remap *c;
	int r;

	if (argc < 2 || argc > 3)
		ti->error = "Arguments are <main> <engine device> [<region sectors>]";
	else if (ti->begin)
		ti->error = "Target must start at sector 0";
	else if ((argc == 3 && parse_u32(argv[2], &region_sectors)) ||
		 !is_power_of_2(region_sectors) || region_sectors < DM_REMAP_REGION_SECTORS_MIN ||
		 region_sectors > DM_REMAP_REGION_SECTORS_MAX)
		ti->error = "Region sectors must be a power of two from 8 to 2097152";
	else
		ti->error = NULL;
	if (ti->error)
		return -EINVAL;

	ti->error = "Cannot allocate target";
	c = kzalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return -ENOMEM;
	ti->private = c;
	c->shift = ilog2(region_sectors);
	c->slow_jiffies = U32_MAX;
	c->instance = get_random_u64();
	spin_lock_init(&c->lock);
	bio_list_init(&c->parked);
	init_waitqueue_head(&c->drained);
	INIT_WORK(&c->work, submit_parked);

	/* Of this table alone: its worker may have to wait for its engine. */
	c->wq = alloc_ordered_workqueue("dm-remap/%s", WQ_MEM_RECLAIM,
					dm_table_device_name(ti->table));
	r = c->wq ? 0 : -ENOMEM;
	r = r ?: take_device(ti, argv[0], &c->main) ?: take_device(ti, argv[1], &c->engine) ?:
		 make_regions(ti);
	if (r) {
		remap_dtr(ti);
		return r;
	}
	c->main_bdev = c->main->bdev;
	ti->error = NULL;
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	/* Whatever main says: the engine has something to make durable. */
	ti->flush_supported = true;
	ti->per_io_data_size = sizeof(struct remap_io);
	return 0;
}

static struct target_type remap_target = {
	.name = DM_REMAP_TARGET,
	.version = { 5, 0, 0 },
	.features = DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = remap_ctr,
	.dtr = remap_dtr,
	.map = remap_map,
	.end_io = remap_end_io,
	.status = remap_status,
	.message = remap_message,
	.iterate_devices = remap_iterate_devices,
};

/* What module_dm() is from Linux 6.2 on. */
module_driver(remap_target, dm_register_target, dm_unregister_target);

MODULE_DESCRIPTION(DM_NAME " target that sends requests to sound regions straight to the disk");
MODULE_AUTHOR("dm-remap");
MODULE_LICENSE("GPL");
