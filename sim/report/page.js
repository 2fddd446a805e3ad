/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draws what the data says: sections of charts and tables.  All text is set as
 * text, never as markup: names come from captures and files.
 */
(() => {
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 560px)");

/* Role of a line: light, dark. */
const COLORS = {
	offered: ["#8793a5", "#8391a3"],
	out: ["#1f6fd1", "#6aa9f7"],
	heard: ["#1a8f5a", "#56c78b"],
	delayed: ["#d08700", "#f0b64a"],
	dropped: ["#c02b37", "#f07f88"],
	limit: ["#c02b37", "#f07f88"],
	0: ["#1f6fd1", "#6aa9f7"],
	1: ["#d0651b", "#f2995a"],
	2: ["#1a8f5a", "#56c78b"],
	3: ["#8b4fc8", "#be93ee"],
	4: ["#b3871d", "#e3c062"],
	5: ["#c23b85", "#ee86bd"],
};

const charts = [];

function element(name, parent, text, className) {
	const made = document.createElement(name);
	if (text !== undefined)
		made.textContent = text;
	if (className)
		made.className = className;
	parent.appendChild(made);
	return made;
}

function number(value) {
	if (value === null || value === undefined)
		return "–";
	const size = Math.abs(value);
	const digits = Number.isInteger(value) || size >= 1000 ? 0 :
		size >= 100 ? 1 : size >= 1 ? 2 : 3;
	return value.toLocaleString("en", { maximumFractionDigits: digits });
}

function style(name) {
	return getComputedStyle(document.documentElement)
		.getPropertyValue(name).trim();
}

function color(role) {
	return (COLORS[role] || COLORS[0])[dark.matches ? 1 : 0];
}

/* ------ one chart */

function dataset(chart, line) {
	const limit = line.role === "limit";
	const bars = chart.kind === "bar" || chart.kind === "rows";
	const points = line.x ?
		line.x.map((x, i) => ({ x: x, y: line.y[i] })) : line.y;
	const set = {
		label: line.name,
		data: points,
		role: line.role,
		type: line.as === "line" ? "line" : bars ? "bar" :
			chart.kind === "scatter" ? "scatter" : "line",
		/* The least is on top. */
		order: limit ? 0 : line.role === "offered" ? 3 :
			line.role === "heard" ? 2 : 1,
		borderWidth: limit ? 1.5 : 2,
		borderDash: limit ? [6, 4] : [],
		pointRadius: 0,
		pointHitRadius: 8,
		fill: Boolean(line.fill),
		notes: line.notes,
		pointStyle: chart.kind === "scatter" && !limit ? "circle" :
			limit || !bars ? "line" : "rectRounded",
	};
	if (chart.kind === "scatter" && !limit) {
		set.pointRadius = 5;
		set.pointHoverRadius = 7;
	}
	if (bars && line.as !== "line") {
		set.borderWidth = 0;
		set.borderRadius = 3;
		set.maxBarThickness = 34;
	}
	return set;
}

function axis(chart, which) {
	const told = chart[which];
	const made = {
		type: told.log ? "logarithmic" : told.labels ? "category" : "linear",
		title: { display: true, text: told.title },
		grid: {},
		ticks: { maxRotation: 0, autoSkipPadding: 12 },
	};
	if (told.labels) {
		made.grid.display = false;
		made.ticks.autoSkip = chart.kind !== "rows";
		made.ticks.callback = function (value) {
			const text = String(this.getLabelForValue(value));
			const most = narrow.matches ? 16 : 34;
			return text.length > most ?
				text.slice(0, most - 1) + "…" : text;
		};
	} else {
		made.ticks.callback = (value) => told.log &&
			![1, 2, 5].includes(Number(value.toExponential(3)
				.split("e")[0])) ? null : number(value);
		if (!told.log)
			made.beginAtZero = chart.kind !== "scatter";
		if (told.log && told.min !== undefined)
			made.min = told.min;
		if (!told.log && told.max !== undefined)
			made.suggestedMax = told.max;
		if (which === "x" && !told.log && chart.kind === "line" &&
		    told.max !== undefined)
			made.max = told.max;
	}
	return made;
}

function paint(chart) {
	const options = chart.options;
	for (const set of chart.data.datasets) {
		const shade = color(set.role);
		set.borderColor = shade;
		set.backgroundColor = set.type === "line" && set.fill ?
			shade + "33" : shade;
	}
	for (const scale of Object.values(options.scales)) {
		scale.title.color = style("--soft");
		scale.ticks.color = style("--soft");
		scale.grid.color = style("--line");
		scale.grid.borderColor = style("--line");
	}
	options.plugins.legend.labels.color = style("--text");
}

function tooltip(item) {
	const set = item.dataset;
	const across = item.chart.options.indexAxis === "y";
	const value = across ? item.parsed.x : item.parsed.y;
	const note = set.notes && set.notes[item.dataIndex];
	return set.label + ": " + number(value) + (note ? " (" + note + ")" : "");
}

function draw(told, canvas) {
	const rows = told.kind === "rows";
	const config = {
		type: told.kind === "line" ? "line" :
			told.kind === "scatter" ? "scatter" : "bar",
		data: { datasets: told.lines.map((line) => dataset(told, line)) },
		options: {
			animation: false,
			responsive: true,
			maintainAspectRatio: false,
			indexAxis: rows ? "y" : "x",
			interaction: told.kind === "scatter" ?
				{ mode: "nearest", intersect: true } :
				{ mode: "index", intersect: false,
				  axis: rows ? "y" : "x" },
			scales: { x: axis(told, "x"), y: axis(told, "y") },
			plugins: {
				legend: {
					display: told.lines.length > 1,
					position: "bottom",
					labels: { usePointStyle: true, boxWidth: 22 },
				},
				tooltip: { callbacks: { label: tooltip } },
			},
		},
	};
	const labels = told.x.labels || told.y.labels;
	if (labels)
		config.data.labels = labels;
	paint(config);
	const chart = new Chart(canvas, config);
	charts.push({ told: told, chart: chart });
}

/* ------ the numbers beside it */

function columns(told) {
	if (told.kind === "scatter")
		return [told.x.title, told.y.title, "settings"];
	return [told.labelled || told.x.title].concat(
		told.lines.map((line) => line.name));
}

function scatterRows(told) {
	const rows = [];
	for (const line of told.lines)
		line.y.forEach((y, i) => rows.push([line.x[i], y,
			(line.notes && line.notes[i]) || line.name]));
	return rows;
}

function rowsOf(told) {
	const labels = told.x.labels || told.y.labels;
	if (told.kind === "scatter")
		return scatterRows(told);
	if (labels)
		return labels.map((label, i) => [label].concat(
			told.lines.map((line) => line.y[i])));
	return told.lines[0].x.map((x, i) => [x].concat(
		told.lines.map((line) => line.y[i])));
}

function fillTable(table, names, rows) {
	const numeric = names.map((name, i) =>
		rows.some((row) => typeof row[i] === "number"));
	const head = element("tr", element("thead", table));
	names.forEach((name, i) => {
		element("th", head, name, numeric[i] ? "number" : "")
			.scope = "col";
	});
	const body = element("tbody", table);
	for (const row of rows) {
		const line = element("tr", body);
		row.forEach((cell) => {
			if (typeof cell === "number" || cell === null)
				element("td", line, number(cell), "number");
			else if (typeof cell === "boolean")
				element("td", line, cell ? "pass" : "FAIL",
					cell ? "pass" : "fail");
			else
				element("td", line, cell,
					cell.length > 18 ? "text" : "");
		});
	}
}

function addNumbers(told, figure) {
	const details = element("details", figure);
	element("summary", details, "The numbers");
	const scroll = element("div", details, undefined, "scroll");
	scroll.tabIndex = 0;
	const table = element("table", scroll);
	details.addEventListener("toggle", () => {
		if (details.open && !table.firstChild)
			fillTable(table, columns(told), rowsOf(told));
	});
}

function addChart(told, parent) {
	const figure = element("figure", parent, undefined,
		told.wide ? "wide" : "");
	const caption = element("figcaption", figure);
	element("h3", caption, told.title);
	if (told.note)
		element("p", caption, told.note);
	const box = element("div", figure, undefined, "canvas");
	if (told.kind === "rows") {
		const bars = told.lines.filter((l) => l.as !== "line").length;
		const height = 110 + told.y.labels.length * (10 + 13 * bars);
		box.className = "canvas tall";
		box.style.setProperty("--height", Math.max(height, 170) + "px");
	}
	const canvas = element("canvas", box);
	canvas.setAttribute("role", "img");
	canvas.setAttribute("aria-label", told.title +
		". The numbers follow as a table.");
	addNumbers(told, figure);
	draw(told, canvas);
}

/* ------ sections */

function addCharts(list, parent) {
	if (!list.length)
		return;
	const grid = element("div", parent, undefined, "charts");
	for (const told of list)
		addChart(told, grid);
}

function forget(parent) {
	for (let i = charts.length - 1; i >= 0; i--) {
		if (!parent.contains(charts[i].chart.canvas))
			continue;
		charts[i].chart.destroy();
		charts.splice(i, 1);
	}
	parent.replaceChildren();
}

function addChoices(section, parent) {
	const label = element("label", parent, section.choose);
	const select = element("select", label);
	const place = element("div", parent);
	section.choices.forEach((choice, i) => {
		element("option", select, choice.name).value = i;
	});
	const show = () => {
		const choice = section.choices[Number(select.value)];
		forget(place);
		if (choice.text)
			element("p", place, choice.text, "lead");
		addCharts(choice.charts, place);
	};
	select.addEventListener("change", show);
	show();
}

function addTable(told, parent) {
	const card = element("div", parent, undefined, "table-card");
	const scroll = element("div", card, undefined, "scroll");
	scroll.tabIndex = 0;
	const table = element("table", scroll);
	element("caption", table, told.title);
	fillTable(table, told.columns, told.rows);
}

function addSection(section, parent) {
	const made = element("section", parent);
	element("h2", made, section.title);
	if (section.text)
		element("p", made, section.text, "lead");
	addCharts(section.charts, made);
	if (section.choices.length)
		addChoices(section, made);
	for (const table of section.tables)
		addTable(table, made);
}

const page = document.getElementById("page");
const tiles = element("dl", page, undefined, "tiles");
for (const [name, value] of data.facts) {
	const tile = element("div", tiles, undefined, "tile");
	element("dt", tile, name);
	element("dd", tile, value);
}
if (document.fonts && style("--text"))
	Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
for (const section of data.sections)
	addSection(section, page);
if (data.settings) {
	const details = element("details", page);
	element("summary", details, "The policy it was judged by, in full");
	element("pre", details, data.settings);
}

dark.addEventListener("change", () => {
	for (const each of charts) {
		paint(each.chart);
		each.chart.update("none");
	}
});

/* For tests, and for who wants to take the numbers elsewhere. */
window.symtapReport = { data: data, charts: charts };
})();
