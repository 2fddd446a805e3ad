/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flowtable/pages.h"

#include <sys/mman.h>

void *pages_reserve(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, bytes, MADV_HUGEPAGE);
	return memory;
}

void pages_release(void *memory, size_t bytes)
{
	if (memory)
		munmap(memory, bytes);
}
