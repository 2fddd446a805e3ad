# SPDX-License-Identifier: GPL-2.0-or-later
"""Which tests run in which kernel."""

import pathlib

# Lines of the console that the runner repeats.
TOLD = "symtap: "
# A result: it ran nothing of what it was to run, and was content.
NO_TESTS = "no tests"

# What nobody asks the kernel for by name, and who uses it needs.
MODULES = ("br_netfilter", "tun")

# How to run each: "build" below the build tree or "source" below the source
# tree, and words after it.
TESTS = {
    "unit/fast_leases": ("build", "tests/fast_leases_test"),
    "property/fast": ("build", "tests/property/fast_property"),
    "property/fast_captures": ("build", "tests/property/fast_captures"),
    "property/fast_direct": ("build", "tests/property/fast_direct"),
    **{f"netns/rules_{part}":
       ("source", f"tests/netns/rules_{part}_test.py",
        "{build}/tests/rules_driver")
       for part in ("antispoof", "bridge", "forward", "nat", "ports",
                    "refusals")},
    **{f"netns/gateway_{subject}":
       ("source", f"tests/netns/gateway_{subject}_test.py")
       for subject in ("bridged", "direct", "edt", "engines", "fast", "figures",
                       "forged", "fragments", "full", "hold", "life", "loader",
                       "neighbours", "offloads", "restart", "rules",
                       "translation", "vlan", "zones")},
}

# Once more, with the fast path on.
FAST = "/fast"
TESTS.update({f"netns/gateway_{subject}{FAST}":
              ("source", f"tests/netns/gateway_{subject}_test.py")
              for subject in ("bridged", "engines", "figures", "zones")})

# And in dom0 of a Xen host, one after the other: all that there are.
XEN = sorted(f"xen/{path.name.removesuffix('_test.py')}" for path in
             pathlib.Path(__file__).parent.glob("../xen/*_test.py"))
TESTS.update({name: ("source", f"tests/{name}_test.py") for name in XEN})
COMPARE = "xen/compare"
TESTS[COMPARE] = ("source", f"tests/{COMPARE}.py")

# What a run has that names none, and which part of it: what another kernel
# may do in another way, and nothing that is timed closer than emulation is.
CHOSEN = {
    "unit/fast_leases": (),
    "property/fast": (),
    "netns/gateway_fast": (
        "Fast.test_a_conversation_that_conforms_never_reaches_the_queue",
        "Fast.test_a_flood_is_held_to_the_check_figures",
        "Fast.test_so_does_one_over_ipv6_and_a_ping",
        "Fast.test_other_bits_of_the_mark_stay",
        "Life.test_killed_it_lets_everything_go_the_long_way"),
    "property/fast_direct": (),
    "netns/gateway_direct": (
        "Direct.test_it_is_refused_where_the_bridge_has_more_to_say",
        "Direct.test_the_bridge_sees_one_packet_a_second"),
    "netns/gateway_loader": ("Clsact", "Without.test_no_bpf",
                             "Without.test_neither_tcx_nor_clsact"),
    "netns/gateway_hold": (),
    "netns/gateway_edt": (),
    "netns/gateway_vlan": ("Fast", "Vrf"),
    "netns/gateway_bridged": (
        "Bridged.test_flood_in_a_vlan_is_held",
        "Bridged.test_super_packets_taken_apart_keep_their_ethernet_header"),
    "netns/gateway_bridged/fast": (
        "Bridged.test_flood_is_reduced_and_its_neighbour_is_not",
        "Bridged.test_answers_in_a_vlan_free_what_waits"),
    "netns/rules_nat": (
        "Nat.test_datagrams_held_leave_with_one_translation",
        "Nat.test_translation_that_comes_later_is_noticed"),
    "netns/rules_bridge": (
        "Bridge.test_frames_reach_the_queue_both_ways",
        "Bridge.test_rules_match_the_port_and_the_vlan", "Judged"),
}
