# SPDX-License-Identifier: GPL-2.0-or-later
"""Gateways to be measured side by side, and what ratios of rounds say.

Each has three network namespaces joined by veth: a guarded side, the gateway,
the outside.
"""
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import time

QUEUE = 100
POLICY = """\
mode: enforce
inside: [10.20.0.0/16]
limits: {{pairs: 400000, flows: 400000, hosts: 4096, pairs_per_host: 200000, flows_per_host: 200000}}
datapath: {{nfqueue: {{queues: 1, first_queue: {queue}, fail: open, bridge: {bridge}}}{fast}}}
control: {{socket: {folder}/control.sock}}
metrics: {{listen: none}}
state: {{file: none}}
{more}"""
METER = """
table inet bench {
	set sources {
		type ipv4_addr
		size 65536
		flags dynamic,timeout
		timeout 60s
	}
	chain forward {
		type filter hook forward priority 0; policy accept;
		update @sources { ip saddr limit rate over 100000000/second } drop
	}
}
"""


class BenchError(Exception):
    """The benchmark cannot be run here."""


def run(*words, **options):
    """Run to the end, or say what did not work."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, timeout=120, **options)
    if done.returncode != 0:
        raise BenchError("%s: %s" % (" ".join(words), (done.stderr or done.stdout).strip()))
    return done.stdout


def install_queue_rule(namespace):
    """One rule: everything forwarded goes to our queue."""
    rules = ("table inet bench {\n chain forward {\n  type filter hook forward priority 0;\n"
             "  queue flags bypass to %d\n }\n}\n" % QUEUE)
    by_nft = subprocess.run(["ip", "netns", "exec", namespace, "nft", "-f", "-"], input=rules,
                            text=True, stderr=subprocess.DEVNULL, check=False)
    if by_nft.returncode == 0:
        return
    if shutil.which("iptables-nft") is None:
        raise BenchError("this kernel's nftables has no queue; install iptables")
    run("ip", "netns", "exec", namespace, "iptables-nft", "-A", "FORWARD", "-j", "NFQUEUE",
        "--queue-num", str(QUEUE), "--queue-bypass")


class Gateway:
    """One variant's namespaces and whatever runs in the middle one."""

    BRIDGE = "false"

    def __init__(self, name, folder):
        self.name = name
        self.prefix = "symtap-bench-%d-%s-" % (os.getpid(), name)
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        self.policy = os.path.join(self.folder, "policy.yaml")
        self.consumer = None
        self.iperf = None

    def ns(self, side):
        return self.prefix + side

    def path(self, side):
        return "/run/netns/" + self.ns(side)

    def ip(self, side, *words):
        run("ip", "-n", self.ns(side), *words)

    def nft(self, rules):
        run("ip", "netns", "exec", self.ns("gw"), "nft", "-f", "-", input=rules)

    def mac(self, side, device):
        return json.loads(run("ip", "-n", self.ns(side), "-j", "link", "show", device))[0]["address"]

    def wire(self):
        for side in ("in", "gw", "out"):
            run("ip", "netns", "add", self.ns(side))
            self.ip(side, "link", "set", "lo", "up")
        for side, name in (("in", "lan0"), ("out", "wan0")):
            run("ip", "link", "add", "eth0", "netns", self.ns(side), "type", "veth",
                "peer", "name", name, "netns", self.ns("gw"))

    def populate(self):
        """10.20.1-3 answer on the guarded side, 10.96-97 outside; 10.98 is never answered."""
        self.ip("in", "route", "add", "local", "10.20.1.0/24", "dev", "lo")
        self.ip("in", "route", "add", "local", "10.20.2.0/23", "dev", "lo")
        self.ip("out", "route", "add", "local", "10.96.0.0/15", "dev", "lo")
        self.ip("out", "route", "add", "blackhole", "10.98.0.0/16")

    def up(self):
        self.wire()
        for side, device, address in (("in", "eth0", "10.20.0.2/16"), ("gw", "lan0", "10.20.0.1/16"),
                                      ("gw", "wan0", "10.99.0.1/24"), ("out", "eth0", "10.99.0.2/24")):
            self.ip(side, "addr", "add", address, "dev", device)
            self.ip(side, "link", "set", device, "up")
        self.ip("in", "route", "add", "default", "via", "10.20.0.1")
        self.ip("out", "route", "add", "default", "via", "10.99.0.1")
        self.populate()
        self.ip("gw", "route", "add", "10.96.0.0/14", "via", "10.99.0.2")
        run("ip", "netns", "exec", self.ns("gw"), "sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.learn_neighbours()

    def learn_neighbours(self):
        """Nobody is to wait for ARP while a run is measured."""
        for side, device, address, peer in (("in", "eth0", "10.20.0.1", ("gw", "lan0")),
                                            ("gw", "wan0", "10.99.0.2", ("out", "eth0")),
                                            ("out", "eth0", "10.99.0.1", ("gw", "wan0"))):
            self.ip(side, "neigh", "replace", address, "lladdr", self.mac(*peer), "dev", device)
        mac = self.mac("in", "eth0")
        for host in ["0.2"] + ["1.%d" % i for i in range(64)] + ["2.0", "3.0"]:
            self.ip("gw", "neigh", "replace", "10.20." + host, "lladdr", mac, "dev", "lan0")

    def start(self, *words, is_ready=None):
        self.consumer = subprocess.Popen(["ip", "netns", "exec", self.ns("gw"), *words],
                                         stdout=subprocess.DEVNULL,
                                         stderr=open(os.path.join(self.folder, "log"), "w"))
        is_ready = is_ready or (lambda: self.counted() is not None)
        deadline = time.monotonic() + 10
        while not is_ready():
            if self.consumer.poll() is not None or time.monotonic() > deadline:
                raise BenchError("%s did not start: %s" % (words[0], self.log()))
            time.sleep(0.02)
        time.sleep(0.3)

    def start_symtapd(self, symtapd, fast="", more=""):
        with open(self.policy, "w") as file:
            file.write(POLICY.format(queue=QUEUE, bridge=self.BRIDGE, folder=self.folder, fast=fast,
                                     more=more))
        self.start(symtapd, "-c", self.policy)

    def log(self):
        with open(os.path.join(self.folder, "log")) as file:
            return file.read().strip()

    def counted(self):
        """Packets that the kernel put into the queue so far; None: there is no queue."""
        try:
            with open("/proc/%d/net/netfilter/nfnetlink_queue" % self.consumer.pid) as file:
                for line in file:
                    words = line.split()
                    if int(words[0]) == QUEUE:
                        return int(words[7])
        except OSError:
            pass
        return None

    def ask(self, question):
        """What symtapd answers."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(10)
            control.connect(os.path.join(self.folder, "control.sock"))
            control.sendall(question.encode() + b"\n")
            with control.makefile() as answers:
                answer = json.loads(answers.readline())
        if "ok" not in answer:
            raise BenchError("symtapd: %s: %s" % (question, answer))
        return answer["ok"]

    def counters(self):
        """symtapd's, with all that happened before this call: they are up to a second old."""
        before = self.ask("status")["uptime_s"]
        deadline = time.monotonic() + 10
        while self.ask("status")["uptime_s"] <= before + 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        return {row["name"]: row["value"] for row in self.ask("stats")["counters"]}

    def cpu_ns(self):
        """CPU time of the thread that has the packets: symtapd's engine, or the only one."""
        folder = "/proc/%d/task" % self.consumer.pid
        tasks = sorted(os.listdir(folder), key=int)
        engines = []
        for task in tasks:
            with open("%s/%s/comm" % (folder, task)) as file:
                if file.read().startswith("engine"):
                    engines.append(task)
        total = 0
        for task in engines or tasks:
            with open("%s/%s/schedstat" % (folder, task)) as file:
                total += int(file.read().split()[0])
        return total

    def start_iperf(self):
        self.iperf = subprocess.Popen(["ip", "netns", "exec", self.ns("out"), "iperf3", "-s"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def upload_words(self, seconds, streams):
        return ["ip", "netns", "exec", self.ns("in"), "iperf3", "-c", "10.99.0.2",
                "-t", str(max(1, round(seconds))), "-P", str(streams), "-J"]

    def tcp(self, seconds, streams):
        """Uploads to what start_iperf began, whole seconds: Gbit/s, and Gbit in a second of
        both ends' CPU time."""
        for attempt in range(5):
            try:
                end = json.loads(run(*self.upload_words(seconds, streams)))["end"]
                cpu = end["cpu_utilization_percent"]
                gbit_per_s = end["sum_received"]["bits_per_second"] / 1e9
                return {"gbit_per_s": gbit_per_s, "gbit_per_cpu_s": gbit_per_s * 100 / (
                    cpu["host_total"] + cpu["remote_total"])}
            except BenchError:
                if attempt == 4:
                    raise
                time.sleep(0.2)
        return None

    def probe(self, traffic, seconds, apart=0):
        """An innocent flow, a thousand packets a second, beside a neighbour that floods at full
        rate all the while.  The first `apart` are not among p50 and p99, but in first_us, which
        is the longest of them."""
        flood = subprocess.Popen([traffic, "flood", self.path("in"), str(seconds + 0.2), "18"],
                                 stdout=subprocess.DEVNULL)
        time.sleep(0.1)
        result = json.loads(run(traffic, "probe", self.path("in"), self.path("out"), str(seconds),
                                str(apart)))
        flood.wait()
        result["lost_pct"] = 100.0 * (result["sent"] - result["got"]) / max(1, result["sent"])
        return result

    def down(self):
        for process in (self.consumer, self.iperf):
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for side in ("in", "gw", "out"):
            subprocess.run(["ip", "netns", "del", self.ns(side)], stderr=subprocess.DEVNULL,
                           check=False)


def interval(values):
    """Median and its 95 % interval by order statistics (exact from n = 6 on)."""
    values = sorted(values)
    count = len(values)
    # The largest k with P(Binomial(n, 1/2) < k) <= 0.025.
    below, chance, k = 0.0, 0.5 ** count, 0
    for i in range(count):
        below += chance
        if below > 0.025:
            break
        k = i + 1
        chance = chance * (count - i) / (i + 1)
    low, high = values[max(0, k - 1)], values[min(count - 1, count - k)]
    return statistics.median(values), low, high


def in_turn(names, turn):
    """Who comes first changes from round to round."""
    return names[turn % len(names):] + names[:turn % len(names)]
