/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_VERBS_H
#define SIM_VERBS_H

/*
 * What symtap-sim can do.  Each verb is a program of its own: argv[0] is the
 * verb, and what it returns is the exit status.
 */

enum {
	EXIT_DONE = 0,
	EXIT_NO = 1,      /* a file cannot be opened, memory is out, ... */
	EXIT_USAGE = 2,   /* also a policy with mistakes */
	EXIT_DAMAGED = 3, /* a capture is damaged; results up to there */
};

int replay_main(int argc, char **argv);
int run_main(int argc, char **argv);
int judge_main(int argc, char **argv);
int sweep_main(int argc, char **argv);

#endif
