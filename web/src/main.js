import { Axis } from "./axis.js";
import { LAYOUTS, fillComparison, layoutButtons, worst } from "./compare.js";
import { csv, download } from "./exporting.js";
import { fillDialogs, fillHeader } from "./header.js";
import { bindKeys } from "./keys.js";
import { make } from "./make.js";
import { Measure } from "./measure.js";
import { openVideo } from "./media.js";
import { Overlay } from "./overlay.js";
import { readPayload } from "./payload.js";
import { Player } from "./player.js";
import { Plots } from "./plots.js";
import { Stage } from "./scene.js";
import { fillSummary } from "./summary.js";
import { Tabs } from "./tabs.js";
import { Theme } from "./theme.js";
import { Timeline } from "./timeline.js";
import { Tip } from "./tip.js";

const $ = (id) => document.getElementById(id);
const data = readPayload($("data").textContent);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const player = new Player(data.times);
const axis = new Axis(data.length);
const overlay = new Overlay($("overlay"), data);
const tip = new Tip(data);
let chosen = null; // index of the person shown alone

fillHeader(data);
fillDialogs(data, () => saveTable());

function makeStage() {
  try {
    return new Stage($("scene"), $("scene-labels"), data, calm);
  } catch (error) {
    $("scene-message").textContent = `The 3D scene needs WebGL, which this browser does not offer (${error.message}).`;
    $("scene-message").hidden = false;
    $("scene").hidden = true;
    return null;
  }
}

const stage = makeStage();
const timeline = new Timeline(data, player, axis, { choose: (index) => choose(chosen === index ? null : index) });

const plots = new Plots(data, player, axis, { choose: (index) => choose(chosen === index ? null : index) });
const measure = new Measure(data, plots.series, { stage, overlay, plots, changed: () => (showFrame(), showOverlay()) });
fillSummary(data, (index) => choose(chosen === index ? null : index));
fillComparison(data, (pair) => player.seek(worst(data, pair)));

function saveTable() {
  plots.open();
  const name = (data.comparison ? "comparison" : data.video.name.replace(/\.\w+$/, "")).replace(/[^\w.-]+/g, "_") || "plots";
  download(`${name}.csv`, csv(data, plots.columns()));
}

function showOverlay() {
  overlay.draw(player.shown, chosen);
}

function showFrame() {
  const k = player.playing ? player.shown : player.wanted;
  axis.follow(k);
  timeline.show(k, chosen);
  plots.show(k, chosen);
  measure.show(k);
  stage?.show(k, chosen);
  $("time").textContent = `${player.timeOf(k).toFixed(3)} s`;
  $("frame").textContent = data.length ? `frame ${data.frames[k]}` : "no frames";
}

function choose(index) {
  chosen = index;
  showFrame();
  showOverlay();
}

player.addEventListener("wanted", showFrame);
player.addEventListener("shown", () => {
  showOverlay();
  if (player.playing) showFrame();
});
player.addEventListener("playing", () => {
  document.body.classList.toggle("playing", player.playing);
  $("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
  if (player.playing) tip.hide();
});

// --- sizes -------------------------------------------------------------------------------------------------------
function fitPicture() {
  const room = $("picture-room");
  const shape = data.video.width / data.video.height;
  const width = Math.floor(Math.min(room.clientWidth, room.clientHeight * shape));
  const height = Math.round(width / shape);
  Object.assign($("picture").style, { width: `${width}px`, height: `${height}px` });
  overlay.resize(width, height);
  showOverlay();
}
$("picture-panel").style.setProperty("--shape", String(data.video.width / data.video.height));
new ResizeObserver(fitPicture).observe($("picture-room"));
if (stage) {
  new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = $("scene-room");
    if (width && height) stage.resize(width, height);
  }).observe($("scene-room"));
}

// --- buttons -----------------------------------------------------------------------------------------------------
const theme = new Theme((name) => (stage?.theme(name), plots.paint()));
const tabs = new Tabs((name) => {
  if (name === "plots") plots.open();
  showFrame();
});
tabs.offer("comparison", Boolean(data.comparison));

function press(id, on, change) {
  $(id).setAttribute("aria-pressed", String(on));
  change(on);
}
const toggles = {
  "show-overlay": (on) => ((overlay.visible = on), showOverlay()),
  "show-dim": (on) => $("picture").classList.toggle("dim", on),
  loop: (on) => (player.loop = on),
  measure: (on) => measure.toggle(on),
};
const flip = (id) => press(id, $(id).getAttribute("aria-pressed") !== "true", toggles[id]);
for (const id of Object.keys(toggles)) $(id).addEventListener("click", () => flip(id));

const views = [...document.querySelectorAll("[data-view]")];
function setView(name) {
  for (const button of views) button.setAttribute("aria-pressed", String(button.dataset.view === name));
  if (name) stage?.view(name);
}
for (const button of views) button.addEventListener("click", () => setView(button.dataset.view));
if (stage) stage.onViewLeft = () => ((stage.viewName = null), setView(null));

const paneNames = $("pane-names");
function setLayout(name) {
  const panes = LAYOUTS[name];
  overlay.shownSides = plots.sides = new Set(panes.flat());
  stage?.layout(panes);
  paneNames.replaceChildren(
    ...panes.map((shown) =>
      make("span", {}, ...shown.map((side) => {
        const { letter, name: run, colour } = data.comparison.sides[side];
        const part = make("b", {}, make("i", { className: "swatch" }), `${letter} ${run}`);
        part.style.setProperty("--colour", colour);
        return part;
      })),
    ),
  );
  plots.paint();
  showOverlay();
}
layoutButtons(data, setLayout);
if (data.comparison) setLayout("over");

const open = (id) => $(id).showModal();
const onClick = {
  first: () => player.step(-Infinity),
  back: () => player.step(-1),
  play: () => player.toggle(),
  forward: () => player.step(1),
  last: () => player.step(Infinity),
  help: () => open("help-dialog"),
  about: () => open("about-dialog"),
  export: () => open("export-dialog"),
  "save-csv": saveTable,
  "zoom-in": () => axis.zoom(0.5, player.wanted),
  "zoom-out": () => axis.zoom(2, player.wanted),
  theme: () => theme.toggle(),
};
for (const [id, action] of Object.entries(onClick)) $(id).addEventListener("click", action);
$("speed").addEventListener("change", () => player.setSpeed(Number($("speed").value)));

function nextPerson(direction) {
  const count = data.people.length;
  if (count) choose(chosen === null ? (direction > 0 ? 0 : count - 1) : (chosen + direction + count) % count);
}
bindKeys({
  " ": () => player.toggle(),
  ArrowLeft: (event) => player.step(event.shiftKey ? -10 : -1),
  ArrowRight: (event) => player.step(event.shiftKey ? 10 : 1),
  Home: () => player.step(-Infinity),
  End: () => player.step(Infinity),
  Escape: () => (measure.active ? press("measure", false, toggles.measure) : choose(null)),
  "?": () => open("help-dialog"),
  "[": () => nextPerson(-1),
  "]": () => nextPerson(1),
  1: () => setView("free"),
  2: () => setView("camera"),
  3: () => setView("side"),
  4: () => setView("top"),
  "+": () => axis.zoom(0.5, player.wanted),
  "-": () => axis.zoom(2, player.wanted),
  c: () => data.comparison && tabs.show("comparison"),
  d: () => theme.toggle(),
  e: () => open("export-dialog"),
  i: () => open("about-dialog"),
  m: () => flip("measure"),
  p: () => tabs.show("plots"),
  t: () => tabs.show("lanes"),
  u: () => tabs.show("summary"),
  r: () => flip("loop"),
  s: () => flip("show-overlay"),
  v: () => flip("show-dim"),
});

// --- read-outs under the pointer ---------------------------------------------------------------------------------
function watch(target, pick) {
  target.addEventListener("pointermove", (event) => {
    if (event.buttons || player.playing) return tip.hide();
    const box = target.getBoundingClientRect();
    tip.show(pick(event.clientX - box.left, event.clientY - box.top), player.wanted, event.clientX, event.clientY);
  });
  target.addEventListener("pointerleave", () => tip.hide());
}
watch($("overlay"), (x, y) => overlay.pick(player.shown, x, y));
if (stage) watch($("scene"), (x, y) => stage.pick(x, y));
$("overlay").addEventListener("click", (event) => {
  const box = $("overlay").getBoundingClientRect();
  const hit = overlay.pick(player.shown, event.clientX - box.left, event.clientY - box.top);
  if (measure.active) return measure.take(hit);
  if (hit) choose(chosen === hit.person ? null : hit.person);
  else if (chosen !== null) choose(null);
  else player.toggle();
});

if (stage) {
  // A click that did not turn the view.
  let from = null;
  $("scene").addEventListener("pointerdown", (event) => (from = [event.clientX, event.clientY]));
  $("scene").addEventListener("click", (event) => {
    if (!measure.active || !from || Math.hypot(event.clientX - from[0], event.clientY - from[1]) > 5) return;
    const box = $("scene").getBoundingClientRect();
    measure.take(stage.nearest(event.clientX - box.left, event.clientY - box.top));
  });
}

const notes = [["i", "left side lighter, right side darker"], ["i dashed", "filled in"]];
$("legend").append(...notes.map(([cls, text]) => {
  const line = document.createElement("span");
  line.className = cls;
  line.textContent = text;
  return line;
}));

// --- start -------------------------------------------------------------------------------------------------------
async function start() {
  showFrame();
  const video = await openVideo($("video"), data);
  if (!video) {
    $("video").hidden = true;
    $("picture").classList.add("bare");
    const lost = data.video.file || data.video.embedded;
    const why = lost ? `The video ${data.video.file ?? "in this page"} cannot be shown by this browser or is not beside this page.` : "";
    $("picture-message").textContent = why;
    $("picture-message").hidden = !why;
  }
  player.attach(video);
  if (data.length) await player.seek(0);
}

/** A small door for tests and for other pages that embed this one. */
window.dyad = {
  ready: start(),
  frame: () => player.wanted,
  shown: () => player.shown,
  playing: () => player.playing,
  seek: (k) => player.seek(k),
  play: () => player.play(),
  pause: () => player.pause(),
  viewpoint: () => stage?.viewpoint() ?? null,
  people: () => data.people.length,
  chosen: () => chosen,
  measured: () => measure.values?.[player.wanted] ?? null,
  table: () => csv(data, plots.columns()),
  plotted: () => plots.rows.map((row) => plots.titleOf(row)),
  placeOf: (person, joint) => stage?.onCanvas(stage.pointOf(person, joint)) ?? null,
  window: () => [axis.start, axis.count],
};
