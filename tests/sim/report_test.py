#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""report_test.py SYMTAP-SIM: pages in a real browser.  Each chart must have
drawn what the figures say, in each of the looks; nothing that comes from a
file name or a capture may become more than text.  Where SYMTAP_SANITIZED is
set, the pages are only read."""

import html.parser
import json
import os
import subprocess
import sys
import tempfile
import unittest

import browser
import made_captures

SIM = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "symtap-sim"
LOOKS = {
    "desk": {"width": 1280, "height": 900},
    "desk, dark": {"width": 1280, "height": 900, "dark": True},
    "phone": {"width": 360, "height": 780, "phone": True},
    "phone, dark": {"width": 360, "height": 780, "phone": True, "dark": True},
}
# A name that would be markup, twice over.
HOSTILE = ("<img src=x onerror=alert(1)></script><script>alert(2)</script>"
           "&amp;\"'<!--.pcap").replace("/", "\u2215")

# What each chart was told to draw, what Chart.js has, and where it drew it.
READ = """symtapReport.charts.map(({told, chart}) => ({
    title: told.title,
    told: told.lines.map(line => line.y),
    lines: chart.data.datasets.map((set, i) => {
        const drawn = chart.getDatasetMeta(i).data;
        const across = chart.options.indexAxis === "y";
        const scale = across ? chart.scales.x : chart.scales.y;
        return {
            name: set.label,
            values: set.data.map(at => at !== null && typeof at === "object" ?
                at.y : at),
            places: drawn.map(at => across ? at.x : at.y),
            expected: set.data.map(at => {
                const value = at !== null && typeof at === "object" ?
                    at.y : at;
                return value === null ? null : scale.getPixelForValue(value);
            }),
            skipped: drawn.map(at => at.skip === true),
            color: set.borderColor,
        };
    }),
    box: [chart.width, chart.height],
    inked: (() => {
        const canvas = chart.canvas, context = canvas.getContext("2d");
        const data = context.getImageData(0, 0, canvas.width,
                                          canvas.height).data;
        let count = 0;
        for (let i = 3; i < data.length; i += 4)
            count += data[i] > 0;
        return count;
    })(),
    axes: [told.x.title, told.y.title],
    text: chart.options.scales.x.title.color,
}))"""


def sim(*words, ok=(0,)):
    ran = subprocess.run([SIM, *words], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, timeout=120,
                         check=False)
    if ran.returncode not in ok:
        raise RuntimeError("%s: %d\n%s" % (words, ran.returncode, ran.stderr))
    return ran.stdout


class Script(html.parser.HTMLParser):
    """What a browser that runs nothing finds in the page."""

    def __init__(self):
        super().__init__()
        self.tags, self.inside, self.data = [], None, ""
        self.links = []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        attributes = dict(attributes)
        self.links += [attributes[name] for name in ("src", "href")
                       if name in attributes]
        self.inside = tag, attributes.get("id")

    def handle_data(self, data):
        if self.inside == ("script", "data"):
            self.data += data

    def handle_endtag(self, tag):
        self.inside = None


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory(prefix="symtap-report-")
        folder = os.path.join(cls.place.name, "captures")
        made_captures.make(folder)
        hostile = os.path.join(cls.place.name, HOSTILE)
        made_captures.write(hostile, made_captures.silent())
        config = os.path.join(cls.place.name, "literal.yaml")
        with open(config, "w") as file:
            file.write("mode: shadow\ninside: [10.0.0.0/8]\n"
                       "limiter: {evidence: packets}\n"
                       "guards: {first_contacts: 0, new_connections: 0}\n"
                       "limits: {flows: 4096, pairs: 4096, hosts: 1024}\n")
        cls.pages = {name: os.path.join(cls.place.name, name + ".html")
                     for name in ("replay", "judge", "sweep", "guards")}
        sim("replay", "-c", config, "--inside", "policy", "--report",
            cls.pages["replay"], hostile,
            os.path.join(folder, "attack", "sweep.pcap"))
        sim("judge", "-c", config, "--report", cls.pages["judge"], folder,
            ok=(1,))
        sim("sweep", "-c", config, "--report", cls.pages["sweep"], folder)
        finished = os.path.join(cls.place.name, "finished.pcap")
        made_captures.write(finished, made_captures.finished_flood())
        both = [os.path.join(folder, "attack", "sweep.pcap"), finished]
        sim("replay", "--report", cls.pages["guards"], *both)
        cls.guards = [json.loads(line)["summary"]["guards"] for line in
                      sim("replay", "--json", "-", *both).splitlines()]
        cls.data = {}
        for name, path in cls.pages.items():
            with open(path, encoding="utf-8") as file:
                script = Script()
                script.feed(file.read())
            cls.data[name] = script, json.loads(script.data)

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def browser(self):
        if "SYMTAP_SANITIZED" in os.environ:
            self.skipTest("a browser finds nothing in what was sanitized")
        return browser.Browser()

    def charts_told(self, name):
        sections = self.data[name][1]["sections"]
        for section in sections:
            yield from section["charts"]
            for choice in section["choices"][:1]:
                yield from choice["charts"]

    def check_chart(self, chart):
        self.assertTrue(chart["lines"], chart["title"])
        self.assertGreater(chart["inked"], 500)
        self.assertTrue(all(chart["axes"]), "an axis without a title")
        for told, line in zip(chart["told"], chart["lines"]):
            self.assertEqual(told, line["values"])
            self.assertEqual(len(line["values"]), len(line["places"]))
            for value, place, expected, skipped in zip(
                    line["values"], line["places"], line["expected"],
                    line["skipped"]):
                # Zero has no place on a logarithmic axis.
                if value is None or skipped or value == 0:
                    continue
                self.assertAlmostEqual(expected, place, delta=1)

    def check_look(self, page, name, look):
        page.set_view(**LOOKS[look])
        complaints = page.open(self.pages[name])
        self.assertEqual([], complaints)
        charts = page.ask(READ)
        told = list(self.charts_told(name))
        self.assertEqual(sorted(each["title"] for each in told),
                         sorted(each["title"] for each in charts))
        for chart in charts:
            with self.subTest(page=name, look=look, chart=chart["title"]):
                self.check_chart(chart)
                self.assertGreater(min(chart["box"]), 100)
                self.assertLessEqual(chart["box"][0], LOOKS[look]["width"])
        wide = page.ask("document.documentElement.scrollWidth")
        self.assertLessEqual(wide, LOOKS[look]["width"], "it scrolls sideways")
        return charts[0]["text"]

    def test_each_chart_draws_its_data_in_every_look(self):
        with self.browser() as page:
            for name in self.pages:
                colors = {look: self.check_look(page, name, look)
                          for look in LOOKS}
                self.assertNotEqual(colors["desk"], colors["desk, dark"])

    def test_a_key_can_be_chosen_and_its_charts_follow(self):
        section = next(each for each in self.data["replay"][1]["sections"]
                       if len(each["choices"]) > 1)
        last = section["choices"][-1]
        with self.browser() as page:
            page.open(self.pages["replay"])
            page.ask("""(() => {
                const selects = [...document.querySelectorAll("select")];
                const select = selects.find(each =>
                    each.options.length === %d);
                select.value = %d;
                select.dispatchEvent(new Event("change"));
            })()""" % (len(section["choices"]), len(section["choices"]) - 1))
            charts = page.ask(READ)
            drawn = [chart["told"] for chart in charts]
            for told in last["charts"]:
                self.assertIn([line["y"] for line in told["lines"]], drawn)
            for chart in charts:
                self.check_chart(chart)

    def test_the_look_changes_with_the_system(self):
        with self.browser() as page:
            page.set_view(**LOOKS["desk"])
            page.open(self.pages["judge"])
            light = page.ask(READ)[0]
            page.set_view(**LOOKS["desk, dark"])
            page.wait("symtapReport.charts[0].chart.options.scales.x.title"
                      ".color !== " + json.dumps(light["text"]))
            dark = page.ask(READ)[0]
            self.assertNotEqual(light["text"], dark["text"])
            self.assertNotEqual(light["lines"][0]["color"],
                                dark["lines"][0]["color"])

    def test_the_numbers_stand_beside_each_chart(self):
        with self.browser() as page:
            page.open(self.pages["judge"])
            page.ask("document.querySelectorAll('figure details').forEach("
                     "each => each.open = true)")
            page.wait("[...document.querySelectorAll('figure table')].every("
                      "each => each.firstChild)")
            rows = page.ask("[...document.querySelectorAll('figure')].map("
                            "each => each.querySelectorAll('tbody tr').length)")
            told = list(self.charts_told("judge"))
            self.assertEqual([len(each["lines"][0]["y"]) for each in told],
                             rows)

    def test_names_are_text_and_nothing_else(self):
        script, data = self.data["replay"]
        self.assertNotIn("img", script.tags)
        self.assertEqual(3, script.tags.count("script"))
        titles = [section["title"] for section in data["sections"]]
        self.assertTrue(any(HOSTILE in title for title in titles), titles)
        with self.browser() as page:
            self.assertEqual([], page.open(self.pages["replay"]))
            self.assertEqual(0, page.ask(
                "document.querySelectorAll('img').length"))
            self.assertTrue(page.ask(
                "[...document.querySelectorAll('h2')].some(each => "
                "each.textContent.includes(%s))" % json.dumps(HOSTILE)))

    def test_it_loads_nothing(self):
        for name, (script, _) in self.data.items():
            self.assertEqual([], script.links, name)

    def test_the_verdict_comes_first_and_in_words(self):
        for name, words in (("replay", "symtap would have let out"),
                            ("guards", "faster than the pace"),
                            ("judge", "groups miss a target"),
                            ("sweep", "of the attack packets get out")):
            with open(self.pages[name], encoding="utf-8") as file:
                text = file.read()
            self.assertIn(words, text[text.index("<body>"):][:2500])

    def test_what_was_offered_and_let_out_adds_up(self):
        _, data = self.data["replay"]
        section = data["sections"][0]
        chart = next(each for each in section["charts"]
                     if each["title"] == "Offered against let out")
        lines = {line["name"]: line for line in chart["lines"]}
        times = lines["offered"]["x"]
        step = times[1] - times[0]
        self.assertAlmostEqual(len(made_captures.silent()),
                               sum(lines["offered"]["y"]) * step, delta=1)
        self.assertGreater(sum(lines["let out"]["y"]) * step, 12)

    def test_what_the_guards_did_can_be_read(self):
        with self.browser() as page:
            self.assertEqual([], page.open(self.pages["guards"]))
            tables = page.ask("""[...document.querySelectorAll("table")]
                .filter(each => each.innerHTML.includes("anti-spoof"))
                .map(each => [...each.querySelectorAll("tbody tr")].map(row =>
                    [...row.children].map(cell => cell.textContent)))""")
            verdict = page.ask("document.body.innerText").split("\n")
            charts = [chart for chart in page.ask(READ)
                      if chart["title"] == "Held, by whose gate"]
        self.assertEqual(2, len(tables))
        for name, words in (("first_contacts", "first contacts"),
                            ("new_connections", "new connections")):
            held = [guards[name] for guards in self.guards]
            self.assertGreater(sum(held), 0)
            rows = [row for table in tables for row in table
                    if row[0] == words]
            self.assertEqual(held, [int(row[1].replace(",", ""))
                                    for row in rows])
            self.assertIn("a second", rows[0][2])
            self.assertTrue(any("%d of these" % sum(held) in line
                                for line in verdict), verdict[:8])
        told = [chart for chart in self.charts_told("guards")
                if chart["title"] == "Held, by whose gate"]
        self.assertEqual([[line["y"] for line in chart["lines"]]
                          for chart in told],
                         [chart["told"] for chart in charts])
        for chart, guards in zip(told, self.guards):
            for name, pkts in guards.items():
                step = chart["lines"][0]["x"][1]
                drawn = sum(sum(line["y"]) * step for line in chart["lines"]
                            if line["name"] == name.replace("_", " "))
                self.assertAlmostEqual(pkts, drawn, delta=1)

    def test_it_stays_small(self):
        for name, path in self.pages.items():
            self.assertLess(os.path.getsize(path), 4 << 20, name)
        for chart in self.charts_told("replay"):
            self.assertLessEqual(len(chart["lines"][0]["y"]), 200)


if __name__ == "__main__":
    if not browser.find():
        print("Chromium is needed: apt-get install chromium")
        sys.exit(77)
    unittest.main()
