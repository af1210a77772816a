/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of the device-mapper target "remap", for both sides: the module and the engine.
 *
 * A message:  VERB PROTOCOL INSTANCE [ARGUMENT]...
 * Its answer: PROTOCOL INSTANCE [RESULT]...
 *
 * PROTOCOL is DM_REMAP_PROTOCOL in decimal. INSTANCE is 16 hexadecimal digits: the number of the
 * table, drawn at random when it is made, so that what is meant for one table cannot reach the next
 * one. Only "hello" takes neither; from its answer both sides learn who they talk to.
 *
 * Every message has an answer. Some kernels report success for a message that reached no table: a
 * client must take an empty answer as a failure. Every message may be repeated: libdevmapper sends
 * it again when the answer did not fit.
 *
 * A RANGE of regions is FIRST+COUNT in decimal. A message with a wrong range changes nothing.
 */
#ifndef DM_REMAP_PROTOCOL_H
#define DM_REMAP_PROTOCOL_H

#define DM_REMAP_TARGET "remap"
#define DM_REMAP_PROTOCOL 1

/* hello: answers REGIONS REGION_SECTORS. */
#define DM_REMAP_HELLO "hello"

/*
 * mark RANGE...: from now on these regions go to the engine. Answers how many bios are in flight
 * in them on main.
 */
#define DM_REMAP_MARK "mark"

/* clear RANGE...: from now on these regions go to main. Answers how many of them were marked. */
#define DM_REMAP_CLEAR "clear"

/*
 * drain MILLISECONDS RANGE...: waits until nothing is in flight on main in these regions, which
 * must be marked. Answers how many bios still are; 0 is drained. MILLISECONDS is at most
 * DM_REMAP_DRAIN_MS_MAX, because a message that waits keeps the table from being exchanged.
 */
#define DM_REMAP_DRAIN "drain"
#define DM_REMAP_DRAIN_MS_MAX 10000

/*
 * marks FROM: answers RANGE... "next" N: the marked regions from FROM on. N is where to go on, and
 * the number of regions when there are no more.
 */
#define DM_REMAP_MARKS "marks"

/*
 * epoch: ends the current flush epoch, as a flush does. Answers ENDED DURABLE: that epoch, and
 * the last one whose writes are known to be durable.
 */
#define DM_REMAP_EPOCH "epoch"

/*
 * settle EPOCH: what was written in EPOCH and before is durable, or was dealt with. Only an epoch
 * that has ended can be settled. Answers DURABLE.
 */
#define DM_REMAP_SETTLE "settle"

/* dirty FROM: regions written on main after the durable epoch. Answers as marks does. */
#define DM_REMAP_DIRTY "dirty"

/* written EPOCH FROM: regions written on main after EPOCH. Answers as marks does. */
#define DM_REMAP_WRITTEN "written"

/*
 * slow LIMIT FROM: from now on requests to main that take longer than LIMIT milliseconds are
 * remembered; with 0, none. Answers "r" or "w", SECTOR+SECTORS and MILLISECONDS of each from number
 * FROM on, then "next" N. Only the last DM_REMAP_SLOW_KEPT are kept: what N - FROM has more than
 * the answer was lost.
 */
#define DM_REMAP_SLOW "slow"
#define DM_REMAP_SLOW_KEPT 64

/*
 * Errors: EPROTONOSUPPORT another protocol, ESTALE another instance, EINVAL anything else that is
 * wrong with a message, EINTR or ERESTARTSYS a drain that was interrupted.
 */

/* Region sizes, in sectors: a power of two between these. */
#define DM_REMAP_REGION_SECTORS 2048
#define DM_REMAP_REGION_SECTORS_MIN 8
#define DM_REMAP_REGION_SECTORS_MAX 2097152

/* Regions of a table: 8 bytes each. At 1 MiB a region this is 64 TiB. */
#define DM_REMAP_REGIONS_MAX 67108864

#endif
