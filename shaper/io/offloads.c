/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/offloads.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FEATURES_MAX = 256 };

static int ask(int fd, const char *interface, void *command)
{
	struct ifreq request = { .ifr_data = command };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

/* What follows the head of a command, in the same memory. */
union command {
	uint32_t number;
	struct ethtool_sset_info sets;
	struct ethtool_gstrings strings;
	struct ethtool_gfeatures features;
	uint8_t bytes[16 + FEATURES_MAX * ETH_GSTRING_LEN];
};

/* How many features this kernel has names for, or -errno. */
static int count_features(int fd, const char *interface, union command *command)
{
	int error;

	command->sets = (struct ethtool_sset_info){
		.cmd = ETHTOOL_GSSET_INFO,
		.sset_mask = 1u << ETH_SS_FEATURES,
	};
	error = ask(fd, interface, command);
	if (error < 0)
		return error;
	return command->sets.data[0] <= FEATURES_MAX
		       ? (int)command->sets.data[0]
		       : -E2BIG;
}

/* The number of the feature, or -errno. */
static int find(int fd, const char *interface, union command *command,
		const char *feature)
{
	int count = count_features(fd, interface, command);
	int error;

	if (count < 0)
		return count;
	command->strings = (struct ethtool_gstrings){
		.cmd = ETHTOOL_GSTRINGS,
		.string_set = ETH_SS_FEATURES,
		.len = (uint32_t)count,
	};
	error = ask(fd, interface, command);
	if (error < 0)
		return error;
	for (int i = 0; i < count; i++)
		if (strncmp((const char *)command->strings.data +
				    i * ETH_GSTRING_LEN,
			    feature, ETH_GSTRING_LEN) == 0)
			return i;
	return -ENOENT;
}

static int look(int fd, const char *interface, union command *command,
		const char *feature, bool *ret_on)
{
	int at = find(fd, interface, command, feature);
	int error;

	if (at < 0)
		return at;
	command->features = (struct ethtool_gfeatures){
		.cmd = ETHTOOL_GFEATURES,
		.size = FEATURES_MAX / 32,
	};
	error = ask(fd, interface, command);
	if (error == 0)
		*ret_on = command->features.features[at / 32].active >>
				  (at % 32) &
			  1;
	return error;
}

int offloads_read(const char *interface, const char *feature, bool *ret_on)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union command *command;
	int error = -ENOMEM;

	if (fd < 0)
		return -errno;
	command = calloc(1, sizeof(*command));
	if (command != NULL)
		error = look(fd, interface, command, feature, ret_on);
	free(command);
	close(fd);
	return error;
}
