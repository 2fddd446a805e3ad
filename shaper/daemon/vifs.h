/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VIFS_H
#define SHAPER_DAEMON_VIFS_H

/*
 * The vifs that are guarded, as the process that follows XenStore orders it.
 * What the policy says of them is added to whatever file is in force; a change
 * among them is a reload of what is in force already.  Main thread only.
 */

#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct policy;
struct vifs;
struct viftable;

/* Makes the process.  0 or -errno. */
int vifs_new(struct daemon *daemon, struct vifs **ret_vifs);
void vifs_free(struct vifs *vifs); /* NULL is fine */

/* We end, and guests stay: what is known of them is told to travel.h. */
void vifs_stop(struct vifs *vifs); /* NULL is fine */

/*
 * Before the first rules: wait until those that are there are known, a second
 * at most, and add what guards them to `policy`, so that rules which an earlier
 * run left are followed by rules that guard as many.  false: out of memory.
 */
bool vifs_begin(struct vifs *vifs, struct policy *policy);

/* Readable, then read. */
int vifs_fd(const struct vifs *vifs);
void vifs_read(struct vifs *vifs);

/* Once a second: how the guests do is asked, and published. */
void vifs_measure(struct vifs *vifs, uint64_t wall_ns, uint64_t now_ns);

/* All that are known, guarded or not. */
const struct viftable *vifs_table(const struct vifs *vifs);

/* Once a second: may each still have its way? */
void vifs_look(struct vifs *vifs); /* NULL is fine */

/* Add what guards them; false: out of memory.  NULL adds nothing. */
bool vifs_apply(struct vifs *vifs, struct policy *policy);
/* What vifs_apply added last is in force in rules and engines, or could not
 * be. */
void vifs_applied(struct vifs *vifs, bool good, const char *wrong);

/* Those that netback has refused may ask it once more.  NULL is fine. */
void vifs_forget_refusals(struct vifs *vifs);

#endif
