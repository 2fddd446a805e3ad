# SPDX-License-Identifier: GPL-2.0-or-later
"""Which tests run in which kernel."""

# Lines of the console that the runner repeats.
TOLD = "symtap: "

# What nobody asks the kernel for by name, and who uses it needs.
MODULES = ("br_netfilter",)

# How to run each: "build" below the build tree, "source" below the source
# tree, and words after it.
TESTS = {
    "unit/fast_leases": ("build", "tests/fast_leases_test"),
    "property/fast": ("build", "tests/property/fast_property"),
    "netns/rules_forward": ("source", "tests/netns/rules_forward_test.py",
                            "{build}/tests/rules_driver"),
    "netns/rules_bridge": ("source", "tests/netns/rules_bridge_test.py",
                           "{build}/tests/rules_driver"),
    "netns/rules_nat": ("source", "tests/netns/rules_nat_test.py",
                        "{build}/tests/rules_driver"),
    "netns/rules_refusals": ("source", "tests/netns/rules_refusals_test.py",
                             "{build}/tests/rules_driver"),
    "netns/rules_antispoof": ("source", "tests/netns/rules_antispoof_test.py",
                              "{build}/tests/rules_driver"),
    **{f"netns/gateway_{subject}":
       ("source", f"tests/netns/gateway_{subject}_test.py")
       for subject in ("bridged", "engines", "fast", "figures", "forged",
                       "fragments", "full", "life", "neighbours", "offloads",
                       "restart", "rules", "translation", "zones")},
}


def tests(_series):
    return list(TESTS)
