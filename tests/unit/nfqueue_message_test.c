/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "shaper/io/nfqueue_message.h"

/* A message of the kernel's, built attribute by attribute. */
struct draft {
	uint8_t bytes[1024];
	size_t length;
};

static void draft_add(struct draft *draft, uint16_t type, const void *value,
		      size_t length)
{
	struct nlattr attr = { .nla_type = type,
			       .nla_len = (uint16_t)(sizeof(attr) + length) };

	memcpy(draft->bytes + draft->length, &attr, sizeof(attr));
	memcpy(draft->bytes + draft->length + sizeof(attr), value, length);
	draft->length += (sizeof(attr) + length + 3) & ~(size_t)3;
}

static void draft_add_u32(struct draft *draft, uint16_t type, uint32_t value)
{
	value = htonl(value);
	draft_add(draft, type, &value, sizeof(value));
}

static void draft_begin(struct draft *draft, uint32_t id)
{
	struct nlmsghdr header = {
		.nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET,
	};
	struct nfqnl_msg_packet_hdr packet = {
		.packet_id = htonl(id),
		.hw_protocol = htons(0x0800),
		.hook = 2,
	};

	memset(draft, 0, sizeof(*draft));
	memcpy(draft->bytes, &header, sizeof(header));
	draft->length = sizeof(header) + sizeof(struct nfgenmsg);
	draft_add(draft, NFQA_PACKET_HDR, &packet, sizeof(packet));
}

/* From a copy of exactly so many bytes, so that a read past them is seen. */
static enum nfqueue_message_kind read_copy(const struct draft *draft,
					   size_t length,
					   struct nfqueue_message *message)
{
	uint8_t *copy = malloc(length ? length : 1);
	enum nfqueue_message_kind kind;

	assert_non_null(copy);
	memcpy(copy, draft->bytes, length);
	kind = nfqueue_message_read(copy, length, message);
	if (kind == NFQUEUE_MESSAGE_PACKET && message->captured_bytes > 0) {
		assert_true(message->bytes >= copy);
		assert_true(message->bytes + message->captured_bytes <=
			    copy + length);
	}
	free(copy);
	return kind;
}

static void make_full(struct draft *draft)
{
	static const uint8_t payload[61] = { 0x45 };
	uint8_t vlan[16] = { 0 };
	struct nlattr attr = { .nla_len = 6, .nla_type = NFQA_VLAN_PROTO };

	memcpy(vlan, &attr, sizeof(attr));
	vlan[4] = 0x81;
	attr.nla_type = NFQA_VLAN_TCI;
	memcpy(vlan + 8, &attr, sizeof(attr));
	vlan[12] = 0x60; /* priority 3, VLAN 17 */
	vlan[13] = 17;
	draft_begin(draft, 0xfffffff0);
	draft_add_u32(draft, NFQA_IFINDEX_INDEV, 11);
	draft_add_u32(draft, NFQA_IFINDEX_PHYSINDEV, 12);
	draft_add_u32(draft, NFQA_IFINDEX_PHYSOUTDEV, 14);
	draft_add_u32(draft, NFQA_IFINDEX_OUTDEV, 13);
	draft_add_u32(draft, NFQA_MARK, 0x1234);
	draft_add(draft, NFQA_VLAN | NLA_F_NESTED, vlan, 14);
	draft_add_u32(draft, NFQA_CAP_LEN, 65000);
	draft_add_u32(draft, NFQA_SKB_INFO, NFQA_SKB_GSO);
	draft_add(draft, NFQA_PAYLOAD, payload, sizeof(payload));
}

static void test_message_is_read_whole(void **state)
{
	struct nfqueue_message message;
	struct draft draft;

	(void)state;
	make_full(&draft);
	assert_int_equal(read_copy(&draft, draft.length, &message),
			 NFQUEUE_MESSAGE_PACKET);
	assert_int_equal(message.id, 0xfffffff0);
	assert_int_equal(message.ethertype, 0x0800);
	assert_int_equal(message.in_ifindex, 11);
	assert_int_equal(message.in_port, 12);
	assert_int_equal(message.out_ifindex, 13);
	assert_int_equal(message.out_port, 14);
	assert_true(nfqueue_message_is_bridged(&message));
	assert_int_equal(message.vlan, 17);
	assert_int_equal(message.wire_bytes, 65000);
	assert_int_equal(message.captured_bytes, 61);
	assert_true(message.super_packet);
	/* The kernel leaves out the padding of the last attribute. */
	assert_int_equal(read_copy(&draft, draft.length - 3, &message),
			 NFQUEUE_MESSAGE_PACKET);
	assert_int_equal(message.captured_bytes, 61);
}

static void test_message_without_ports_of_a_bridge(void **state)
{
	static const uint8_t payload[20] = { 0x45 };
	struct nfqueue_message message;
	struct draft draft;

	(void)state;
	draft_begin(&draft, 7);
	draft_add_u32(&draft, NFQA_IFINDEX_INDEV, 3);
	draft_add_u32(&draft, NFQA_IFINDEX_OUTDEV, 4);
	draft_add(&draft, NFQA_PAYLOAD, payload, sizeof(payload));
	assert_int_equal(read_copy(&draft, draft.length, &message),
			 NFQUEUE_MESSAGE_PACKET);
	assert_int_equal(message.in_ifindex, 3);
	assert_int_equal(message.out_ifindex, 4);
	assert_false(nfqueue_message_is_bridged(&message));
	assert_int_equal(message.wire_bytes, 20);
	assert_int_equal(message.vlan, 0);
	assert_false(message.super_packet);
}

/* br_netfilter tells by which port it came, and not where it will leave. */
static void test_message_routed_off_a_bridge_is_not_of_its_ports(void **state)
{
	struct nfqueue_message message;
	struct draft draft;

	(void)state;
	draft_begin(&draft, 7);
	draft_add_u32(&draft, NFQA_IFINDEX_INDEV, 11);
	draft_add_u32(&draft, NFQA_IFINDEX_PHYSINDEV, 12);
	assert_int_equal(read_copy(&draft, draft.length, &message),
			 NFQUEUE_MESSAGE_PACKET);
	assert_true(nfqueue_message_is_bridged(&message));
	draft_add_u32(&draft, NFQA_IFINDEX_OUTDEV, 4);
	assert_int_equal(read_copy(&draft, draft.length, &message),
			 NFQUEUE_MESSAGE_PACKET);
	assert_false(nfqueue_message_is_bridged(&message));
	assert_int_equal(message.in_ifindex, 11);
}

static void test_message_cut_anywhere_stays_in_its_bytes(void **state)
{
	struct nfqueue_message message;
	struct draft draft;

	(void)state;
	make_full(&draft);
	for (size_t length = 0; length < draft.length; length++)
		read_copy(&draft, length, &message);
}

/* As long as the id is there it can be given a verdict. */
static void test_message_cut_behind_its_id_is_a_packet(void **state)
{
	struct nfqueue_message message;
	struct draft draft;

	(void)state;
	make_full(&draft);
	assert_int_equal(read_copy(&draft, 32, &message),
			 NFQUEUE_MESSAGE_PACKET);
	assert_int_equal(message.id, 0xfffffff0);
	assert_int_equal(message.captured_bytes, 0);
	assert_int_equal(read_copy(&draft, 30, &message),
			 NFQUEUE_MESSAGE_OTHER);
}

static void test_message_of_another_kind(void **state)
{
	struct nfqueue_message message;
	const int32_t gone = -ENOENT;
	struct nlmsghdr header;
	struct draft draft;

	(void)state;
	make_full(&draft);
	memcpy(&header, draft.bytes, sizeof(header));
	header.nlmsg_type = NLMSG_ERROR;
	memcpy(draft.bytes, &header, sizeof(header));
	assert_int_equal(read_copy(&draft, draft.length, &message),
			 NFQUEUE_MESSAGE_ERROR);
	memcpy(draft.bytes + sizeof(header), &gone, sizeof(gone));
	assert_int_equal(read_copy(&draft, draft.length, &message),
			 NFQUEUE_MESSAGE_GONE);
	assert_int_equal(read_copy(&draft, sizeof(header) + 3, &message),
			 NFQUEUE_MESSAGE_ERROR);
	header.nlmsg_type = 0x0101;
	memcpy(draft.bytes, &header, sizeof(header));
	assert_int_equal(read_copy(&draft, draft.length, &message),
			 NFQUEUE_MESSAGE_OTHER);
}

static void test_message_of_any_bytes_is_survived(void **state)
{
	struct nfqueue_message message;
	unsigned int seed = 20;
	struct draft draft;

	(void)state;
	for (int round = 0; round < 100000; round++) {
		make_full(&draft);
		for (int i = 0; i < 4; i++) {
			size_t at = 16 +
				    (size_t)rand_r(&seed) % (draft.length - 16);

			draft.bytes[at] = (uint8_t)rand_r(&seed);
		}
		read_copy(&draft, (size_t)rand_r(&seed) % (draft.length + 1),
			  &message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_is_read_whole),
		cmocka_unit_test(test_message_without_ports_of_a_bridge),
		cmocka_unit_test(
			test_message_routed_off_a_bridge_is_not_of_its_ports),
		cmocka_unit_test(test_message_cut_anywhere_stays_in_its_bytes),
		cmocka_unit_test(test_message_cut_behind_its_id_is_a_packet),
		cmocka_unit_test(test_message_of_another_kind),
		cmocka_unit_test(test_message_of_any_bytes_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
