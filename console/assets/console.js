"use strict";
// The page of a validator's console. Everything that peers wrote goes in as text; nothing here decides or writes anything.

const PAGE_ROWS = 50;
const LEAST_PAUSE_MS = 900;
const state = {
  overview: null, economy: null, sheet: null, names: new Map(), earned: new Map(), follow: true, epoch: null, page: 0, find: "", map: null,
  turn: null, block: { number: null, at: 0, every: null }, busy: false, again: false, economyKey: "", sheetKey: "",
};

const $ = (id) => document.getElementById(id);

function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key in node && key !== "list") node[key] = value; else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const percent = (share, digits = 1) => `${(share * 100).toFixed(digits)} %`;
const short = (key) => (key.length > 14 ? `${key.slice(0, 6)}…${key.slice(-5)}` : key);
const nameOf = (uid) => state.names.get(uid) ?? `uid ${uid}`;
const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let value = count;
  while (value >= 1024 && at < units.length - 1) { value /= 1024; at += 1; }
  return `${at === 0 ? value : value.toFixed(1)} ${units[at]}`;
}

function milliseconds(ms) {
  if (ms === null || ms === undefined) return "–";
  return ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

async function ask(path) {
  const response = await fetch(path, { credentials: "same-origin" });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ?? `${path}: ${response.status}`);
  return body;
}

function tellTrouble(error) {
  $("trouble").hidden = !error;
  $("trouble").textContent = error ? String(error.message ?? error) : "";
}

// ---- header ---------------------------------------------------------------------------------------------------------------

function drawHeader() {
  const { overview, block } = state;
  const chain = overview.chain;
  const names = state.economy?.players;
  const who = overview.validator ? `validator ${names ? nameOf(overview.uid) : short(overview.validator)} · subnet ${overview.netuid}` : "no epoch in this journal yet";
  $("who").textContent = overview.task ? `${who} · task ${overview.task}` : who;
  if (!chain || chain.block === undefined) {
    const newest = overview.epochs[0];
    $("epoch").textContent = newest ? `Epoch ${newest.epoch}` : "No epoch yet";
    $("countdown").textContent = newest ? "the newest in the journal" : "";
    $("progress").style.width = "0";
    $("clock-note").textContent = chain ? `The chain isn't heard: ${chain.trouble}` : "No chain is at hand: this is what the journal alone says.";
    return;
  }
  const left = chain.blocks_left;
  $("epoch").textContent = `Epoch ${chain.epoch}`;
  $("countdown").textContent = state.economy?.ended ? "the run is over" : left === null ? "" : left === 0 ? "ends with this block" : `ends in ${plural(left, "block")}`;
  const length = Math.max(1, (chain.ends_at ?? 0) - chain.began_at);
  $("progress").style.width = left === null ? "0" : `${Math.min(100, 100 * (1 - left / length))}%`;
  const every = state.economy?.ended ? null : chain.block_ms ?? block.every;
  const time = every && left ? ` · about ${duration(left * every)}` : "";
  $("clock-note").textContent = chain.trouble ? `The chain isn't heard: ${chain.trouble}` : `block ${chain.block}${time}`;
}

function noteBlock(number) {
  const { block } = state;
  const now = performance.now();
  if (number === null || number === block.number) return;
  if (block.number !== null && number > block.number) {
    const every = (now - block.at) / (number - block.number);
    block.every = block.every === null ? every : 0.7 * block.every + 0.3 * every;
  }
  [block.number, block.at] = [number, now];
}

// ---- cards ----------------------------------------------------------------------------------------------------------------

const OUTCOMES = ["accepted", "unchecked", "wrong", "malformed", "convicted", "silent"];

function stack(into, counts) {
  const total = OUTCOMES.reduce((sum, name) => sum + (counts[name] ?? 0), 0);
  into.replaceChildren(...OUTCOMES.filter((name) => counts[name]).map((name) => {
    const part = el("span", { className: name, title: `${counts[name]} ${name}` });
    part.style.width = `${(100 * counts[name]) / total}%`;
    return part;
  }));
}

function drawCards() {
  const { overview } = state;
  const newest = overview.epochs[0];
  const judged = overview.epochs.find((epoch) => epoch.counts.verdicts > 0) ?? newest;
  if (judged) {
    $("answers").textContent = `${judged.counts.accepted + judged.counts.unchecked} of ${judged.counts.verdicts} good`;
    stack($("answers-bar"), judged.outcomes);
    const parts = OUTCOMES.filter((name) => judged.outcomes[name]).map((name) => `${judged.outcomes[name]} ${name}`);
    if (judged.void_rounds) parts.push(`${plural(judged.void_rounds, "round")} void`);
    $("answers-note").textContent = `epoch ${judged.epoch}: ${parts.join(", ") || "nothing judged yet"}`;
  }
  drawPublished(overview);
  drawTrust(overview);
  const { journal } = overview;
  $("disk").textContent = bytes(journal.bytes);
  const room = journal.free_bytes === null ? "" : `; ${bytes(journal.free_bytes)} are free`;
  const each = journal.files ? `, ${bytes(journal.bytes / journal.files)} an epoch` : "";
  $("disk-note").textContent = `${plural(journal.files, "epoch")} in the journal${each}${room}`;
}

function publicationClass(name) {
  const known = ["published", "failed", "missed", "undecided", "abstained", "open"];
  return known.includes(name) ? name : "way";
}

function drawPublished(overview) {
  const epochs = [...overview.epochs].reverse().filter((epoch) => epoch.publication);
  $("published-bar").replaceChildren(...epochs.map((epoch) => {
    const { state: name, why } = epoch.publication;
    return el("span", { className: publicationClass(name), title: `epoch ${epoch.epoch}: ${name}${why ? `: ${why}` : ""}`, role: "img", ariaLabel: `epoch ${epoch.epoch} ${name}` });
  }));
  const last = [...epochs].reverse().find((epoch) => epoch.publication.state !== "open") ?? epochs.at(-1);
  if (!last) return;
  const { state: name, block, why } = last.publication;
  $("published").textContent = `${name[0].toUpperCase()}${name.slice(1)}`;
  const at = block ? ` at block ${block}` : "";
  const vtrust = last.vtrust === null ? "" : `, which got vtrust ${last.vtrust.toFixed(3)}`;
  $("published-note").textContent = `epoch ${last.epoch}${at}${vtrust}${why ? `: ${why}` : ""}`;
}

function drawTrust(overview) {
  const trust = overview.consensus;
  $("vtrust").textContent = trust ? trust.expected.toFixed(3) : "–";
  $("agreement").replaceChildren();
  if (!trust) {
    const shown = overview.epochs.find((epoch) => epoch.vtrust !== null);
    if (shown) $("vtrust").textContent = shown.vtrust.toFixed(3);
    $("vtrust-note").textContent = shown ? `as the chain gave for epoch ${shown.epoch}; ${overview.no_consensus}` : overview.no_consensus;
    $("agreement-note").textContent = overview.no_consensus;
    return;
  }
  const source = trust.with_newest_vector ? "with this epoch's own weights, which aren't on the chain yet" : "by the weights on the chain";
  $("vtrust-note").textContent = `expected ${source}; now ${trust.vtrust.toFixed(3)}`;
  const others = trust.validators.filter((voice) => voice.uid !== trust.uid).slice(0, 5);
  $("agreement").replaceChildren(...others.map((voice) => {
    const fill = el("span");
    fill.style.width = `${100 * voice.agreement}%`;
    const title = `${voice.hotkey}: ${percent(voice.stake)} of the stake that speaks, vtrust ${voice.vtrust.toFixed(3)}`;
    return el("div", { className: "voice", title }, el("span", {}, nameOf(voice.uid)), el("div", { className: "meter" }, fill), el("span", { className: "number" }, percent(voice.agreement, 0)));
  }));
  $("agreement-note").textContent = others.length ? "share of weights that lie where this validator's do" : "nobody else has weights on the chain";
}

// ---- miners ---------------------------------------------------------------------------------------------------------------

function sparkline(marks) {
  const [width, height, step] = [120, 28, 5];
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `marks ${marks.map((mark) => mark.toFixed(2)).join(", ")}` });
  const middle = height / 2;
  picture.append(svg("line", { x1: 0, x2: width, y1: middle, y2: middle, class: "grid" }));
  marks.slice(-24).forEach((mark, at) => {
    const size = Math.max(2, Math.abs(mark) * (middle - 1));
    const fill = mark > 0 ? "var(--good)" : mark < 0 ? "var(--bad)" : "var(--none)";
    picture.append(svg("rect", { x: at * step, y: mark > 0 ? middle - size : mark < 0 ? middle : middle - 1, width: step - 1, height: size, fill, rx: 1 }));
  });
  return picture;
}

function rowOf(miner, most) {
  const fill = el("span");
  fill.style.width = `${most > 0 && miner.share ? (100 * miner.share) / most : 0}%`;
  const weight = miner.share === null ? "no vector" : percent(miner.share);
  const open = () => openMiner(state.sheet.brief.epoch, miner.uid);
  const persona = state.names.get(miner.uid);
  const name = el("button", { type: "button", className: "name", onclick: (event) => { event.stopPropagation(); open(); } },
    persona ?? `uid ${miner.uid}`, el("small", {}, persona ? `uid ${miner.uid} · ${short(miner.hotkey)}` : short(miner.hotkey)));
  const latency = miner.latency_ms;
  const against = Object.entries(miner.reasons);
  const chips = against.slice(0, 4).map(([reason, count]) => {
    const isGood = ["conforms", "attested", "skill", "spared", "accepted", "unchecked"].includes(reason);
    return el("span", { className: isGood ? "reason" : "reason against" }, `${reason.replaceAll("_", " ")} ×${count}`);
  });
  const earned = state.earned.get(miner.uid);
  return el("tr", { className: "open-me", onclick: open },
    el("td", { className: "weight" }, el("span", { title: miner.weight === null ? "" : `${miner.weight} of 65535; score ${miner.score.toFixed(4)} (${miner.rating})` }, weight), el("div", { className: "meter" }, fill)),
    el("td", {}, name, earned === undefined ? null : el("small", { className: "quiet earned" }, `earned ${earned.toFixed(3)} τ`)),
    el("td", {}, sparkline(miner.marks)),
    el("td", { className: "number" }, miner.verdicts ? `${miner.accepted} / ${miner.verdicts}` : miner.awaiting ? `${miner.awaiting} wait` : "–"),
    el("td", { className: "number", title: latency ? `p50 ${milliseconds(latency.p50)}, p90 ${milliseconds(latency.p90)}, p99 ${milliseconds(latency.p99)} of ${latency.answers}` : "no answer came" }, latency ? milliseconds(latency.p50) : "–", latency ? el("small", { className: "quiet" }, ` … ${milliseconds(latency.p90)}`) : null),
    el("td", { className: "why" }, el("div", {}, ...chips), miner.why));
}

function drawSheet() {
  const { sheet } = state;
  if (!sheet) return;
  const { brief } = sheet;
  $("shown-epoch").textContent = `epoch ${brief.epoch}`;
  const wanted = state.find.trim().toLowerCase();
  const matches = (miner) => !wanted || `${nameOf(miner.uid)} ${miner.uid} ${miner.hotkey}`.toLowerCase().includes(wanted);
  const miners = sheet.miners.filter(matches).sort((one, other) => (other.share ?? 0) - (one.share ?? 0) || other.score - one.score || one.uid - other.uid);
  const most = sheet.miners.reduce((most, miner) => Math.max(most, miner.share ?? 0), 0);
  const pages = Math.max(1, Math.ceil(miners.length / PAGE_ROWS));
  state.page = Math.min(state.page, pages - 1);
  const focused = document.activeElement?.closest("#rows tr");
  const focusedAt = focused ? [...$("rows").children].indexOf(focused) : -1;
  $("rows").replaceChildren(...miners.slice(state.page * PAGE_ROWS, (state.page + 1) * PAGE_ROWS).map((miner) => rowOf(miner, most)));
  if (focusedAt >= 0) $("rows").children[focusedAt]?.querySelector("button")?.focus({ preventScroll: true });
  const decided = sheet.is_final ? "as the epoch closed" : "as the records so far would decide";
  const why = sheet.abstains ? ` There is no vector: ${sheet.abstains}.` : "";
  const vtrust = sheet.vtrust === null ? "" : ` The chain gave it vtrust ${sheet.vtrust.toFixed(3)}.`;
  $("sheet-note").textContent = `${plural(miners.length, "miner")}, the most weight first, ${decided}.${why}${vtrust}`;
  drawPages(pages);
  const epochs = state.overview.epochs.map((epoch) => epoch.epoch);
  $("newer").disabled = brief.epoch >= Math.max(...epochs);
  $("older").disabled = brief.epoch <= 0;
}

function drawPages(pages) {
  if (pages === 1) return $("pages").replaceChildren();
  const turn = (by) => () => { state.page += by; drawSheet(); };
  $("pages").replaceChildren(
    el("button", { type: "button", onclick: turn(-1), disabled: state.page === 0 }, "◀ before"),
    el("span", { className: "shown" }, `page ${state.page + 1} of ${pages}`),
    el("button", { type: "button", onclick: turn(1), disabled: state.page === pages - 1 }, "after ▶"));
}

// The newest epoch in which somebody was judged, as long as the newest one is empty.
function newestWorthShowing() {
  const epochs = state.overview.epochs;
  return (epochs.find((epoch) => epoch.counts.verdicts > 0) ?? epochs[0])?.epoch ?? null;
}

async function showSheet(force) {
  if (state.follow) state.epoch = newestWorthShowing();
  if (state.epoch === null) return;
  const key = `${state.epoch}/${state.turn?.journal ?? ""}/${state.turn?.files ?? ""}`;
  const isNewest = state.overview.epochs.slice(0, 3).some((epoch) => epoch.epoch === state.epoch);
  if (!force && (key === state.sheetKey || (state.sheet?.brief.epoch === state.epoch && !isNewest))) return;
  state.sheetKey = key;
  state.sheet = await ask(`api/epochs/${state.epoch}`);
  drawSheet();
}

function stepEpoch(by) {
  state.follow = false;
  $("follow").checked = false;
  state.epoch = Math.max(0, (state.epoch ?? 0) + by);
  state.page = 0;
  showSheet(true).then(() => tellTrouble(null), tellTrouble);
}

// ---- curves ---------------------------------------------------------------------------------------------------------------

const colour = (at) => `hsl(${Math.round((at * 137.5 + 160) % 360)} 60% 50%)`;

// Neurons that were paid the same all along are one line.
function grouped(lines) {
  const groups = new Map();
  for (const line of lines) {
    const key = line.tao.join(" ");
    const group = groups.get(key);
    if (group) group.names.push(nameOf(line.uid)); else groups.set(key, { names: [nameOf(line.uid)], total: line.total, tao: line.tao });
  }
  const names = (group) => (group.names.length > 6 ? `${group.names.slice(0, 5).join(", ")} and ${group.names.length - 5} more` : group.names.join(", "));
  return [...groups.values()].map((group) => ({ ...group, name: names(group), each: group.names.length > 1 ? " each" : "" }));
}

function drawEarned() {
  const { epochs, earlier, unread } = state.economy;
  const lines = grouped(state.economy.lines);
  const [width, height, left, bottom, top] = [900, 240, 64, 26, 12];
  if (epochs.length === 0) {
    $("earned").replaceChildren();
    $("legend").replaceChildren();
    $("earned-note").textContent = "The chain shows what an epoch paid when the next one opens.";
    return;
  }
  const most = Math.max(1e-12, ...lines.flatMap((line) => line.tao));
  const x = (at) => left + (epochs.length === 1 ? 0 : (at * (width - left - 12)) / (epochs.length - 1));
  const y = (tao) => top + (1 - tao / most) * (height - top - bottom);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Pay by epoch of ${state.economy.lines.length} neurons, epochs ${epochs[0]} to ${epochs.at(-1)}` });
  for (const part of [0, 0.5, 1]) {
    picture.append(svg("line", { x1: left, x2: width - 8, y1: y(part * most), y2: y(part * most), class: "grid" }));
    picture.append(svg("text", { x: left - 8, y: y(part * most) + 4, "text-anchor": "end" }, `${(part * most).toPrecision(3)} τ`));
  }
  const ticks = Math.max(1, Math.ceil(epochs.length / 12));
  epochs.forEach((epoch, at) => {
    if (at % ticks === 0) picture.append(svg("text", { x: x(at), y: height - 6, "text-anchor": "middle" }, String(epoch)));
  });
  lines.forEach((line, at) => {
    const title = svg("title", {}, `${line.name}: ${line.total.toFixed(4)} τ${line.each} in all`);
    const points = line.tao.map((tao, of) => `${x(of).toFixed(1)},${y(tao).toFixed(1)}`);
    if (epochs.length > 1) picture.append(svg("polyline", { points: points.join(" "), fill: "none", stroke: colour(at), "stroke-width": 2, "stroke-linejoin": "round" }, title));
    const [endX, endY] = points.at(-1).split(",");
    picture.append(svg("circle", { cx: endX, cy: endY, r: 3.5, fill: colour(at) }, title.cloneNode(true)));
  });
  $("earned").replaceChildren(picture);
  $("legend").replaceChildren(...lines.map((line, at) => el("li", {}, svg("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, svg("rect", { width: 14, height: 14, rx: 3, fill: colour(at) })), `${line.name}: ${line.total.toFixed(3)} τ${line.each}`)));
  const left_out = earlier || unread ? `; ${earlier + unread} earlier epochs aren't drawn` : "";
  $("earned-note").textContent = `What the chain paid each neuron in epochs ${epochs[0]} to ${epochs.at(-1)}, miners and validators${left_out}.`;
}

function heatMap(rows, labels) {
  // Who gets nothing is shown beside those who get something, where the cast is known.
  const cast = (state.economy.players ?? []).filter((player) => !player.validates);
  const totals = new Map(cast.map((player) => [player.uid, 0]));
  for (const row of rows) for (const [uid, share] of row) totals.set(uid, Math.max(totals.get(uid) ?? 0, share));
  const uids = [...totals].sort((one, other) => other[1] - one[1]).slice(0, 64).map(([uid]) => uid).sort((one, other) => one - other);
  const most = Math.max(1e-9, ...totals.values());
  const [cell, rowHeight, left, top] = [Math.max(18, Math.min(64, Math.floor(760 / Math.max(1, uids.length)))), 26, 110, 74];
  const [width, height] = [left + uids.length * cell + 40, top + rows.length * rowHeight + 4];
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Shares of weights: ${labels.join(", ")} by ${uids.length} miners` });
  picture.style.maxWidth = `${width}px`;
  uids.forEach((uid, at) => picture.append(svg("text", { transform: `translate(${left + at * cell + cell / 2 + 4} ${top - 6}) rotate(-55)` }, nameOf(uid))));
  rows.forEach((row, down) => {
    picture.append(svg("text", { x: left - 8, y: top + down * rowHeight + 17, "text-anchor": "end" }, labels[down]));
    const shares = new Map(row);
    uids.forEach((uid, at) => {
      const share = shares.get(uid) ?? 0;
      const place = { x: left + at * cell + 1, y: top + down * rowHeight + 1, width: cell - 2, height: rowHeight - 2, rx: 3 };
      picture.append(svg("rect", { ...place, class: "heat-ground" }));
      picture.append(svg("rect", { ...place, class: "heat", "fill-opacity": (share / most).toFixed(3) }, svg("title", {}, `${labels[down]} → ${nameOf(uid)}: ${percent(share, 2)}`)));
    });
  });
  const left_out = totals.size - uids.length;
  return [picture, left_out > 0 ? ` ${left_out} miners with less weight aren't drawn.` : ""];
}

function drawMap() {
  const { maps, now, players } = state.economy;
  const areMany = maps.some((map) => map.rows.length > 1);
  const frames = areMany ? maps.map((map) => ({ title: `epoch ${map.epoch}`, rows: map.rows })) : now ? [{ title: `block ${now.block}`, rows: now.rows }] : [];
  $("map-slider").hidden = frames.length < 2;
  if (frames.length === 0) {
    const own = maps.slice(-24).reverse();
    const [picture, rest] = own.length ? heatMap(own.map((map) => map.rows[0].shares), own.map((map) => `epoch ${map.epoch}`)) : [null, ""];
    $("map").replaceChildren(...(picture ? [picture] : []));
    $("map-note").textContent = picture ? `This validator's weights, epoch by epoch: the stronger the colour, the more.${rest} Others' weights are on the chain, which isn't at hand.` : "No epoch was weighed yet.";
    return;
  }
  const range = $("map-range");
  range.max = String(frames.length - 1);
  const at = state.map === null ? frames.length - 1 : Math.min(state.map, frames.length - 1);
  range.value = String(at);
  $("map-epoch").textContent = frames[at].title;
  const rows = frames[at].rows.filter((row) => row.shares.length > 0);
  const [picture, rest] = heatMap(rows.map((row) => row.shares), rows.map((row) => nameOf(row.uid)));
  $("map").replaceChildren(picture);
  const hint = players && areMany ? " Validators that agree have like rows." : "";
  $("map-note").textContent = `Each row is a validator, each column a miner: the stronger the colour, the more weight, at ${frames[at].title}.${hint}${rest}`;
}

function drawCaught() {
  const { caught } = state.economy;
  $("caught").replaceChildren(...caught.slice(0, 40).map((row) => el("tr", {},
    el("td", {}, nameOf(row.uid)), el("td", {}, el("span", { className: "reason against" }, row.check)),
    el("td", { className: "number" }, String(row.answers)), el("td", { className: "number" }, String(row.first)))));
  $("caught-note").textContent = caught.length ? `Checks that spoke against a miner, in the newest epochs of the journal${caught.length > 40 ? "; the 40 most frequent" : ""}.` : "Nobody was caught at anything yet.";
}

async function showEconomy() {
  const key = `${state.turn?.files ?? ""}/${state.turn?.economy ?? ""}/${state.turn?.epoch ?? ""}`;
  if (state.economy && key === state.economyKey) return;
  state.economyKey = key;
  state.economy = await ask("api/economy");
  state.names = new Map((state.economy.players ?? []).map((player) => [player.uid, player.persona]));
  state.earned = new Map(state.economy.lines.map((line) => [line.uid, line.total]));
  drawEarned();
  drawMap();
  drawCaught();
  if (state.economy.players) {
    const end = state.economy.ended ? " The run is over; the page stays until its command is stopped." : "";
    $("lead").textContent = `This is a whole economy on one machine: validators ask miners to solve a task, weigh the answers, and the chain pays by the weights. Some miners are honest, and some are cheats with telling names: see who earns, and how the others are caught. Pick a miner to see what it was asked and what it said.${end}`;
  }
}

function drawFiles() {
  const { journal } = state.overview;
  $("files-note").textContent = journal.dir;
  $("files").replaceChildren(...journal.newest.map((file) => el("tr", {}, el("td", { className: "number" }, String(file.epoch)), el("td", { className: "number" }, bytes(file.bytes)), el("td", {}, file.state))));
}

// ---- one miner, one answer -------------------------------------------------------------------------------------------------

function openMiner(epoch, uid) { location.hash = `#/epoch/${epoch}/miner/${uid}`; }

const facts = (rows) => el("dl", { className: "facts" }, ...rows.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

function minerPage(page) {
  const { neuron, way, verdicts } = page;
  const losses = way?.losses ?? [];
  const parts = [facts([
    ["hotkey", neuron.hotkey], ["axon", neuron.axon ?? "none published"], ["registered at block", String(neuron.registered_at)],
    ["average", way ? `${way.average.toFixed(4)}${way.carried === null ? "" : `, from ${way.carried.toFixed(4)} carried in`}` : null],
    ["score", way ? `${way.score.toFixed(4)} (${way.rating})` : null],
    ["share of all weights", way ? `${percent(way.share, 2)}${way.share_without > way.share ? `, ${percent(way.share_without, 2)} had no check cost it anything` : ""}` : null],
    ["why", way ? way.why : page.unknown], ["no vector", way?.abstains],
  ])];
  if (losses.length) {
    parts.push(el("h3", {}, "What checks cost it"), el("ul", {}, ...losses.map((loss) => el("li", {}, `${plural(loss.answers, "answer")} ${loss.phrase}: ${percent(loss.lost, 2)} of all weights`))));
  }
  const rows = verdicts.map((verdict) => {
    const path = `#/epoch/${page.epoch}/miner/${page.uid}/answer/${verdict.challenge}`;
    const round = verdict.asked_in === page.epoch ? `round ${verdict.round}` : `round ${verdict.round} of epoch ${verdict.asked_in}`;
    return el("tr", { className: "open-me", onclick: () => { location.hash = path; } },
      el("td", {}, el("a", { className: "name", href: path }, round)), el("td", { className: "number" }, verdict.mark.toFixed(3)), el("td", {}, verdict.outcome ?? "–"),
      el("td", { className: "number" }, milliseconds(verdict.latency_ms)), el("td", { className: "why" }, verdict.reasons.map((reason) => reason.text).join("; ")));
  });
  parts.push(el("h3", {}, `Its ${plural(verdicts.length, "verdict")}${page.left_out ? `, ${page.left_out} before them left out` : ""}: pick one to see the answer`),
    el("div", { className: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, ...["Round", "Mark", "Outcome", "Latency", "Reasons"].map((title) => el("th", { scope: "col" }, title)))), el("tbody", {}, ...rows))));
  return parts;
}

const rowsOf = (tensor, columns) => {
  if (!tensor || tensor.shape.length !== 2 || tensor.shape[1] !== columns || tensor.datatype !== "FP32") return null;
  const whole = Math.floor(tensor.values.length / columns);
  return Array.from({ length: whole }, (_, at) => tensor.values.slice(at * columns, (at + 1) * columns));
};

function scanPicture(pixels) {
  const numbers = pixels.map(Number);
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const picture = svg("svg", { viewBox: "0 0 8 8", role: "img", "aria-label": "a scan of 8 by 8 pixels" }, svg("rect", { width: 8, height: 8, class: "heat-ground" }));
  numbers.forEach((value, at) => picture.append(svg("rect", { x: at % 8, y: Math.floor(at / 8), width: 1, height: 1, class: "ink", "fill-opacity": ((value - least) / (most - least || 1)).toFixed(2) })));
  return picture;
}

function best(row) {
  const numbers = row.map(Number);
  const at = numbers.reduce((best, value, index) => (value > numbers[best] ? index : best), 0);
  return Number.isNaN(numbers[at]) ? "no number" : `${at} (${percent(numbers[at], 0)})`;
}

// Digits: each scan beside what the miner said of it and what the reference says.
function scansView(page) {
  const scans = rowsOf(page.request.tensors?.[0], 64);
  const said = rowsOf(page.answer.tensors?.[0], 10);
  if (!scans || !said) return null;
  const known = rowsOf(page.reference.tensors?.[0], 10);
  const all = page.request.tensors[0].shape[0];
  const rest = all > scans.length ? el("p", { className: "quiet" }, `The first ${scans.length} of ${all}.`) : null;
  return el("div", {}, rest, el("div", { className: "scans" }, ...scans.map((pixels, at) => {
    const [mine, reference] = [said[at], known?.[at]];
    const apart = mine && reference ? Math.max(...mine.map((value, digit) => Math.abs(Number(value) - Number(reference[digit])))) : 0;
    return el("div", { className: apart > 0.05 || Number.isNaN(apart) ? "scan far" : "scan" }, scanPicture(pixels), el("div", {}, "miner: ", el("strong", {}, mine ? best(mine) : "nothing")),
      reference ? el("div", { className: "quiet" }, `reference: ${best(reference)}`) : null, reference ? el("div", { className: "quiet" }, Number.isNaN(apart) ? "no distance" : `apart by ${apart.toFixed(4)}`) : null);
  })));
}

function tensorView(tensor) {
  const head = el("div", { className: "quiet" }, `${tensor.name} · ${tensor.datatype} [${tensor.shape.join(" × ")}]`);
  if (tensor.datatype === "BYTES") return el("div", {}, head, ...tensor.values.slice(0, 24).map((text) => el("pre", {}, text)), restOf(tensor, 24));
  const shown = tensor.values.slice(0, 40).map((value) => (typeof value === "number" && !Number.isInteger(value) ? value.toFixed(4) : String(value)));
  return el("div", {}, head, el("pre", {}, shown.join("  ")), restOf(tensor, 40));
}

function restOf(tensor, shown) {
  return tensor.values_of > shown ? el("div", { className: "quiet" }, `and ${tensor.values_of - shown} more values`) : null;
}

function messageView(title, message) {
  const parts = [el("h3", {}, title)];
  if (message.absent) parts.push(el("p", { className: "quiet" }, message.absent));
  if (message.unreadable) parts.push(el("p", {}, `Not readable: ${message.unreadable}`));
  if (message.model) parts.push(el("p", { className: "quiet" }, `model ${message.model}`));
  if (message.text !== undefined) parts.push(el("pre", {}, message.text));
  for (const tensor of message.tensors ?? []) parts.push(tensorView(tensor));
  if (message.hex) parts.push(el("pre", {}, message.hex));
  if (message.bytes !== undefined) parts.push(el("p", { className: "quiet" }, `${bytes(message.bytes)}${message.digest ? ` · sha256 ${message.digest.slice(0, 16)}…` : ""}`));
  return el("div", {}, ...parts);
}

function answerPage(page) {
  const { verdict, proof } = page;
  const parts = [facts([
    ["question", [page.kind, page.scope].filter(Boolean).join(", ")], ["round", page.round === null ? null : `${page.round} of epoch ${page.asked_in}`],
    ["mark", verdict ? `${verdict.mark.toFixed(4)}, ${verdict.outcome}` : "not judged yet"], ["reasons", verdict?.reasons.map((reason) => reason.text).join("; ")],
    ["latency", proof ? milliseconds(proof.latency_ms) : null], ["signed by the miner", proof ? `${proof.signature.slice(0, 24)}… for model ${proof.model.slice(0, 16)}…` : null],
  ])];
  const scans = scansView(page);
  if (scans) parts.push(el("h3", {}, "What it saw and said"), scans, el("h3", {}, "As it went over the wire"));
  parts.push(el("div", { className: "sides" }, messageView("The question", page.request), messageView("The miner's answer", page.answer),
    page.evidence.absent ? messageView("The reference", page.reference) : messageView("The reference, asked about the answer", page.evidence)));
  for (const stage of page.stages) parts.push(el("h3", {}, `Stage ${stage.stage + 1}`), el("div", { className: "sides" }, messageView("Question", stage.request), messageView("Answer", stage.answer)));
  return parts;
}

async function route() {
  const match = location.hash.match(/^#\/epoch\/(\d+)\/miner\/(\d+)(?:\/answer\/([0-9a-f]{64}))?$/);
  const dialog = $("detail");
  if (!match) { if (dialog.open) dialog.close(); return; }
  const [, epoch, uid, challenge] = match;
  const path = `api/epochs/${epoch}/miners/${uid}${challenge ? `/answers/${challenge}` : ""}`;
  $("detail-title").textContent = `${nameOf(Number(uid))} in epoch ${epoch}${challenge ? ": one answer" : ""}`;
  $("back").hidden = !challenge;
  $("back").onclick = () => openMiner(epoch, uid);
  if (!dialog.open) { $("detail-body").replaceChildren(el("p", { className: "quiet" }, "reading the journal …")); dialog.showModal(); }
  try {
    const page = await ask(path);
    $("detail-body").replaceChildren(...(challenge ? answerPage(page) : minerPage(page)));
  } catch (error) {
    $("detail-body").replaceChildren(el("p", { className: "trouble" }, error.message));
  }
  dialog.scrollTop = 0;
}

// ---- life -----------------------------------------------------------------------------------------------------------------

async function refresh() {
  if (state.busy) { state.again = true; return; }
  state.busy = true;
  const began = performance.now();
  try {
    state.overview = await ask("api/overview");
    drawHeader();
    await showEconomy();
    drawHeader();
    drawCards();
    drawFiles();
    await showSheet(false);
    tellTrouble(null);
  } catch (error) {
    tellTrouble(error);
  }
  setTimeout(() => {
    state.busy = false;
    if (state.again) { state.again = false; refresh(); }
  }, Math.max(0, LEAST_PAUSE_MS - (performance.now() - began)));
}

function live(isOn, text) {
  $("live").className = isOn ? "live on" : "live off";
  $("live-text").textContent = text;
}

function listen() {
  const events = new EventSource("api/events");
  events.addEventListener("open", () => live(true, "live"));
  events.addEventListener("turn", (event) => {
    state.turn = JSON.parse(event.data);
    noteBlock(state.turn.block);
    live(true, "live");
    refresh();
  });
  events.addEventListener("error", () => {
    live(false, "the console is gone; the page shows what it knew");
    // A refusal ends a stream for good, and a place may be free later.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 10000);
  });
}

function start() {
  // The cookie has the token from here on; an address with it would stay in the history.
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);
  $("older").onclick = () => stepEpoch(-1);
  $("newer").onclick = () => stepEpoch(1);
  $("follow").onchange = (event) => { state.follow = event.target.checked; showSheet(true).catch(tellTrouble); };
  $("find").oninput = (event) => { state.find = event.target.value; state.page = 0; drawSheet(); };
  $("map-range").oninput = (event) => { const at = Number(event.target.value); state.map = at === Number(event.target.max) ? null : at; drawMap(); };
  $("close").onclick = () => $("detail").close();
  $("detail").addEventListener("close", () => { if (location.hash.startsWith("#/")) history.pushState(null, "", location.pathname); });
  $("detail").addEventListener("click", (event) => { if (event.target === $("detail")) $("detail").close(); });
  addEventListener("hashchange", route);
  refresh().then(route);
  listen();
}

start();
