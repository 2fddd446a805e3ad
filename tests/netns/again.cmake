# SPDX-License-Identifier: GPL-2.0-or-later
# Tests of the gateway once more, with the fast path on.  Left out is what it
# has no part in: rules that the kernel alone carries out, anti-spoof beside
# one test of it, neighbour discovery, minutes of figures that the engine
# alone decides.  A sanitized build has those that take seconds.
set(SYMTAP_FAST_gateway_forged Forged.test_only_their_own_sources_leave)
set(SYMTAP_FAST_gateway_fragments
	Fragments.test_answered_fragments_pass_and_are_counted
	Reassembled.test_answered_fragments_pass_and_are_counted)
set(SYMTAP_FAST_gateway_offloads
	Offloads.test_tcp_as_fast_as_it_goes)
set(SYMTAP_FAST_gateway_figures Flood.test_udp_flood_over_ipv6
	Flood.test_answers_free_what_waits_at_once
	Flood.test_super_packets_are_held_packet_by_packet FasterThanWeRead)
set(SYMTAP_FAST_gateway_rules Rules.test_accept_is_never_held_and_never_counted
	Rules.test_limit_has_a_threshold_and_a_window_of_its_own)
# What came back is known there by what it counts for only.
set(SYMTAP_FAST_operator OperatorTest
	Judgement.test_a_sweep_waits_for_its_pace_and_explain_says_so
	Judgement.test_a_flood_passes_on_patience_first)

foreach(subject bridged engines forged translation zones)
	list(APPEND again gateway_${subject})
endforeach()
if(NOT SYMTAP_SANITIZE)
	foreach(subject figures fragments full life offloads restart rules)
		list(APPEND again gateway_${subject})
	endforeach()
	list(APPEND again operator)
endif()
foreach(test ${again})
	add_test(NAME netns/${test}/fast COMMAND
		${CMAKE_CURRENT_LIST_DIR}/${test}_test.py
		${SYMTAP_FAST_${test}})
	set_tests_properties(netns/${test}/fast PROPERTIES
		ENVIRONMENT "SYMTAP_BUILD=${CMAKE_BINARY_DIR};SYMTAP_FAST=lan0, lan1"
		LABELS fast RUN_SERIAL TRUE SKIP_RETURN_CODE 77 TIMEOUT 300)
endforeach()
