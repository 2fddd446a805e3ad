/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What compiles.sh must refuse: a call that the kernel cannot resolve. */
#include <stdint.h>

uint64_t elsewhere(uint64_t value);
uint64_t calls_out(uint64_t value);

uint64_t calls_out(uint64_t value)
{
	return elsewhere(value) + 1;
}
