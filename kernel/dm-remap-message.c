// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages of the target "remap": dm-remap-protocol.h has what each asks for and answers. They
 * come any number at a time, from processes that may sleep, and while bios are on their way. The
 * table stays until they are answered.
 */
#include <linux/sched.h>

#include "dm-remap.h"

/* A message that is being answered. */
struct message {
	struct remap *remap;
	char *result;
	unsigned int maxlen;
	unsigned int used;
	u64 sum;			/* of what the regions of its ranges add */
	long left;			/* jiffies that a drain may still wait */
};

/*
 * To be called once all words of the message are read: device mapper has one buffer for both, and
 * the answer overwrites them. What does not fit is cut, which device mapper tells the sender.
 */
static __printf(2, 3) void answer(struct message *m, const char *format, ...)
{
	va_list args;

	if (!m->used)
		m->used = scnprintf(m->result, m->maxlen, "%u %016llx", DM_REMAP_PROTOCOL,
				    m->remap->instance);
	va_start(args, format);
	m->used += vscnprintf(m->result + m->used, m->maxlen - m->used, format, args);
	va_end(args);
}

/* True if another item may be added to a list; the first may always, to be cut if need be. */
static bool has_room(const struct message *m, bool first)
{
	return first || m->used + 96 < m->maxlen;
}

static int mark_region(struct message *m, struct region *region)
{
	int old = atomic_fetch_or(MARKED, &region->word);

	if (old >= 0)
		atomic_inc(&m->remap->nr_marked);
	m->sum += old & ~MARKED;
	return 0;
}

static int clear_region(struct message *m, struct region *region)
{
	if (atomic_fetch_andnot(MARKED, &region->word) >= 0)
		return 0;
	atomic_dec(&m->remap->nr_marked);
	m->sum++;
	remap_wake_drains(m->remap);
	return 0;
}

/* Acquires what end_io did before it left the region: the stamp. */
static bool drain_ends(const struct region *region)
{
	int word = atomic_read_acquire(&region->word);

	return word == MARKED || word >= 0;
}

/* Nothing enters a marked region: one that is drained stays so while the next one is waited for. */
static int drain_region(struct message *m, struct region *region)
{
	if (is_marked(region) && !drain_ends(region)) {
		m->left = wait_event_interruptible_timeout(m->remap->drained, drain_ends(region),
							   m->left);
		if (m->left < 0)
			return m->left;
		if (!m->left)
			m->sum += atomic_read_acquire(&region->word) & ~MARKED;
	}
	return is_marked(region) ? 0 : -EINVAL;
}

/* True if a list has this region: the marked ones without an epoch, or those written after it. */
static bool is_listed(const struct region *region, const u32 *epoch)
{
	return epoch ? epoch_after(atomic_read(&region->stamp), *epoch) : is_marked(region);
}

static int answer_list(struct message *m, u32 from, const u32 *epoch)
{
	const struct remap *c = m->remap;
	u32 first, end = from;
	bool none = true;

	if (from > c->nr_regions)
		return -EINVAL;
	while (end < c->nr_regions && has_room(m, none)) {
		for (first = end; end < c->nr_regions && is_listed(&c->regions[end], epoch); end++)
			cond_resched();
		if (end > first) {
			answer(m, " %u+%u", first, end - first);
			none = false;
		}
		end++;		/* this one is not listed */
		cond_resched();
	}
	answer(m, " next %u", min(end, c->nr_regions));
	return 0;
}

static int answer_slow(struct message *m, u32 limit_ms, u32 i)
{
	struct remap *c = m->remap;
	bool none = true;
	u32 kept;

	WRITE_ONCE(c->slow_jiffies, limit_ms ? msecs_to_jiffies(limit_ms) : U32_MAX);
	spin_lock_irq(&c->lock);
	kept = min_t(u32, c->nr_slow, DM_REMAP_SLOW_KEPT);
	if (c->nr_slow - i > kept)
		i = c->nr_slow - kept;
	for (; i != c->nr_slow && has_room(m, none); i++) {
		const struct slow_request *slow = &c->slow[i % DM_REMAP_SLOW_KEPT];

		answer(m, " %c %llu+%u %u", slow->write ? 'w' : 'r',
		       (unsigned long long)slow->sector, slow->sectors, slow->ms);
		none = false;
	}
	spin_unlock_irq(&c->lock);
	answer(m, " next %u", i);
	return 0;
}

static int parse_range(const struct remap *c, const char *text, u32 *first, u32 *count)
{
	int end = 0;

	if (sscanf(text, "%9u+%9u%n", first, count, &end) != 2 || text[end] || !*count ||
	    *first >= c->nr_regions || *count > c->nr_regions - *first)
		return -EINVAL;
	return 0;
}

/*
 * Calls "each" for all regions of the ranges, in their order, and answers what that sums up to. All
 * ranges are read before the first is acted on: a message is obeyed as a whole or not at all.
 */
static int walk_ranges(struct message *m, unsigned int argc, char **argv,
		       int (*each)(struct message *m, struct region *region))
{
	unsigned int i, pass;
	u32 first, count;
	int r = argc ? 0 : -EINVAL;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; !r && i < argc; i++) {
			r = parse_range(m->remap, argv[i], &first, &count);
			for (; pass && !r && count; first++, count--) {
				r = each(m, &m->remap->regions[first]);
				cond_resched();
			}
		}
	}
	if (!r)
		answer(m, " %llu", m->sum);
	return r;
}

/* Two numbers at most come before the ranges. */
static int answer_verb(struct message *m, const char *verb, unsigned int argc, char **argv)
{
	struct remap *c = m->remap;
	u32 a = 0, b = 0;
	bool one = argc && !parse_u32(argv[0], &a);
	bool two = one && argc == 2 && !parse_u32(argv[1], &b);

	if (!strcmp(verb, DM_REMAP_MARK))
		return walk_ranges(m, argc, argv, mark_region);
	if (!strcmp(verb, DM_REMAP_CLEAR))
		return walk_ranges(m, argc, argv, clear_region);
	if (!strcmp(verb, DM_REMAP_DRAIN) && one && a <= DM_REMAP_DRAIN_MS_MAX) {
		m->left = msecs_to_jiffies(a);
		return walk_ranges(m, argc - 1, argv + 1, drain_region);
	}
	if (!strcmp(verb, DM_REMAP_WRITTEN) && two)
		return answer_list(m, b, &a);
	if (!strcmp(verb, DM_REMAP_SLOW) && two)
		return answer_slow(m, a, b);
	if (!strcmp(verb, DM_REMAP_MARKS) && one && argc == 1)
		return answer_list(m, a, NULL);
	if (!strcmp(verb, DM_REMAP_DIRTY) && one && argc == 1) {
		b = atomic_read(&c->durable);
		return answer_list(m, a, &b);
	}
	if (!strcmp(verb, DM_REMAP_SETTLE) && one && argc == 1 &&
	    epoch_after(atomic_read(&c->epoch), a))
		raise_epoch(&c->durable, a);
	else if (!strcmp(verb, DM_REMAP_EPOCH) && !argc)
		answer(m, " %u", (u32)atomic_fetch_inc(&c->epoch));
	else
		return -EINVAL;
	answer(m, " %u", (u32)atomic_read(&c->durable));
	return 0;
}

/* Another protocol is refused before anything else is looked at: its verbs may be unknown here. */
static int answer_message(struct message *m, unsigned int argc, char **argv)
{
	u64 instance;
	u32 protocol;

	if (argc == 1 && !strcmp(argv[0], DM_REMAP_HELLO)) {
		answer(m, " %u %u", m->remap->nr_regions, 1U << m->remap->shift);
		return 0;
	}
	if (argc < 3 || parse_u32(argv[1], &protocol))
		return -EINVAL;
	if (protocol != DM_REMAP_PROTOCOL)
		return -EPROTONOSUPPORT;
	if (kstrtou64(argv[2], 16, &instance))
		return -EINVAL;
	if (instance != m->remap->instance)
		return -ESTALE;
	return answer_verb(m, argv[0], argc - 3, argv + 3);
}

int remap_message(struct dm_target *ti, unsigned int argc, char **argv,
		  char *result, unsigned int maxlen)
{
	struct message m = { .remap = ti->private, .result = result, .maxlen = maxlen };

	return answer_message(&m, argc, argv) ?: 1;
}
