// What the gateway tells of itself, asked every two seconds. Everything that comes from outside is set as text, never as markup.
"use strict";

const EVERY_MS = 2000, WITHIN_MS = 5000, ROWS = 200, EVENTS = 50;
const byId = id => document.getElementById(id);
let before = null; // the counters of the last round and when they were read

async function ask(path, as) {
	const answer = await fetch(path, { signal: AbortSignal.timeout(WITHIN_MS), cache: "no-store" });
	if (!answer.ok && as !== "phase")
		throw new Error(`${path}: ${answer.status}`);
	return as ? answer.text() : answer.json();
}

const items = document => document.items || [];

function element(tag, text, className) {
	const e = document.createElement(tag);
	e.textContent = text;
	if (className)
		e.className = className;
	return e;
}

function row(cells) {
	const tr = document.createElement("tr");
	for (const cell of cells)
		tr.append(Array.isArray(cell) ? element("td", cell[0], cell[1]) : element("td", cell ?? ""));
	return tr;
}

function table(id, rows, nothing) {
	const body = byId(id).tBodies[0];
	if (!rows.length) {
		const td = element("td", nothing, "none");
		td.colSpan = 9;
		rows = [document.createElement("tr")];
		rows[0].append(td);
	}
	body.replaceChildren(...rows);
}

function ago(time) {
	if (!time)
		return "";
	const s = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
	return span(s);
}

function span(s) {
	return s < 120 ? `${s} s` : s < 7200 ? `${Math.floor(s / 60)} min` : s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}

// ---- counters ----

function readMetrics(text) {
	const all = [];
	for (const line of text.split("\n")) {
		const m = /^niddgw_(\w+?)(?:\{(.*)\})? (\S+)$/.exec(line);
		if (m)
			all.push({ name: m[1], labels: m[2] || "", value: Number(m[3]) });
	}
	return all;
}

function sum(metrics, name, label) {
	return metrics.filter(m => m.name === name && (!label || m.labels.includes(label))).reduce((n, m) => n + m.value, 0);
}

function rate(metrics, name) {
	const now = performance.now();
	const value = sum(metrics, name);
	const was = before && before.values[name];
	const per_s = was === undefined || was === null || value < was ? null : (value - was) * 1000 / (now - before.at);
	return { value, text: per_s === null ? "" : per_s >= 100 ? `${Math.round(per_s)}/s` : `${per_s.toFixed(1)}/s` };
}

// ---- the parts of the page ----

function showVerdict(health, phase) {
	const verdict = byId("verdict");
	const bad = health.components.filter(c => c.status !== "ok");
	const word = phase === "ready" ? health.status : phase;
	verdict.className = phase === "ready" ? health.status : "degraded";
	verdict.textContent = word === "ok" ? "all is well" : bad.length ? `${word}: ${bad.map(c => c.name).join(", ")}` : word;
	table("parts", health.components.map(c => row([c.name, [c.status, c.status], ago(c.since), c.detail || c.code])), "none");
}

function showAbout(info) {
	byId("gateway").textContent = info.gateway;
	document.title = `niddgw ${info.gateway}`;
	byId("about").textContent = `version ${info.version}, up ${ago(info.started)}` + (info.config.reload_error ? `, reload refused: ${info.config.reload_error}` : "");
	const plugins = info.plugins.map(p => dot(p.name, p.state === "running" ? "ok" : "fail", p.state));
	byId("flow-plugins").querySelector("ul").replaceChildren(...(plugins.length ? plugins : [element("li", "no plug-in", "unknown")]));
}

function dot(name, className, detail) {
	const li = element("li", name, className);
	if (detail)
		li.append(" ", element("span", detail));
	return li;
}

function pairs(id, list) {
	const out = [];
	for (const [name, value] of list)
		out.push(element("dt", name), element("dd", value));
	byId(id).querySelector("dl").replaceChildren(...out);
}

function showFlow(links, servers, metrics) {
	const states = ["registered", "unregistered", "expired", "barred", "unknown"];
	const up = rate(metrics, "uplink_total"), down = rate(metrics, "downlink_delivered_total");
	const mirrored = rate(metrics, "mirror_records_total");

	pairs("flow-devices", states.map(s => [s, sum(metrics, "devices", `state="${s}"`)]).filter(([s, n]) => n || s === "registered"));
	byId("flow-links").querySelector("ul").replaceChildren(...links.map(l => dot(l.name, l.state === "up" ? "ok" : "fail", `${l.type} ${l.state === "up" ? "" : l.detail || l.state}`)));
	byId("flow-servers").querySelector("ul").replaceChildren(...servers.map(s => dot(s.name, s.state === "up" ? "ok" : "fail", s.state === "up" ? `${s.associations} associations` : s.state)));
	pairs("flow-sessions", [["open requests", sum(metrics, "exchanges")], ["sent again", sum(metrics, "retransmissions")], ["mirrored", mirrored.text || mirrored.value]]);
	byId("arrow-links").firstChild.textContent = up.text;
	byId("arrow-sessions").firstChild.textContent = up.text;
	byId("arrow-servers").firstChild.textContent = down.text;
	before = { at: performance.now(), values: {} };
	for (const [name, r] of [["uplink_total", up], ["downlink_delivered_total", down], ["mirror_records_total", mirrored]])
		before.values[name] = r.value;
}

function showAlarms(alarms) {
	byId("alarms-count").textContent = alarms.length || "";
	table("alarms", alarms.map(a => row([[a.severity, a.severity], a.type, Object.values(a.source || {}).join(" "), ago(a.raised), [a.text, a.action].filter(Boolean).join("; ")])), "none is active");
}

function showDevices(devices, more) {
	const wanted = byId("filter").value.trim().toLowerCase();
	const text = d => [d.device, d.ep, d.state, d.reach, d.profile, ...Object.values(d.identity || {})].join(" ").toLowerCase();
	const shown = devices.filter(d => !wanted || text(d).includes(wanted));
	byId("devices-count").textContent = `${shown.length} shown` + (more ? `, the first ${devices.length} looked at` : "");
	table("devices", shown.map(d => row([d.device, [d.state, d.state === "registered" ? "ok" : d.state === "barred" ? "fail" : ""], d.reach, d.link.name,
		(d.servers || []).filter(s => s.registered).map(s => s.name).join(" "), ago(d.link.last_up), d.queue.depth || "", `${d.units_up} up, ${d.units_down} down`])), "no device");
}

function showQueue(queue) {
	byId("queue-count").textContent = queue.length || "";
	table("queue", queue.map(q => row([q.device, q.dir, q.server, [q.op || q.code, q.path].filter(Boolean).join(" "), q.state, span(q.age_s), q.bytes])), "nothing waits");
}

function showEvents(events) {
	const rest = e => Object.entries(e).filter(([k, v]) => !["v", "ts", "id", "event", "ev", "type", "level"].includes(k) && typeof v !== "object").map(([k, v]) => `${k}=${v}`).join(" ");
	const newest = events.slice().sort((a, b) => b.ts.localeCompare(a.ts) || Number(b.id) - Number(a.id)).slice(0, EVENTS);
	table("events", newest.map(e => row([new Date(e.ts).toLocaleTimeString(), e.event || e.ev || e.type, rest(e)])), "nothing has happened yet");
}

async function round() {
	try {
		const [info, health, links, servers, devices, alarms, queue, events, metrics, phase] = await Promise.all([
			ask("api/v1/info"), ask("api/v1/health"), ask("api/v1/links"), ask("api/v1/servers"), ask(`api/v1/devices?limit=${ROWS}`), ask("api/v1/alarms"),
			ask(`api/v1/queue?limit=${ROWS}`), ask(`api/v1/events?limit=${ROWS}`), ask("metrics", "text"), ask("readyz", "phase"),
		]);
		showAbout(info);
		showVerdict(health, phase.trim());
		showFlow(items(links), items(servers), readMetrics(metrics));
		showAlarms(items(alarms));
		showDevices(items(devices), devices.next);
		showQueue(items(queue));
		showEvents(items(events));
		document.body.dataset.rounds = Number(document.body.dataset.rounds || 0) + 1;
	} catch (e) {
		byId("verdict").className = "fail";
		byId("verdict").textContent = `no answer from the gateway (${e.message})`;
		before = null;
	}
	setTimeout(round, EVERY_MS);
}

round();
