// What the run was: name, figures, notes, and the dialogue with all of its settings.
import { exportContent } from "./exporting.js";
import { make } from "./make.js";

const percent = (share) => (Number.isFinite(share) ? `${(share * 100).toFixed(share > 0.995 && share < 1 ? 1 : 0)} %` : "–");

function fact(title, value, extra) {
  const detail = make("dd", {}, value);
  if (extra) detail.append(" ", extra);
  return make("div", {}, make("dt", {}, title), detail);
}

const apart = ({ distance_mm: mean }) => (mean === null ? "–" : `${mean.toFixed(mean < 100 ? 1 : 0)} mm`);

function badge(text, title, cls) {
  return make("span", { className: `badge ${cls}`, title }, text);
}

export function fillHeader(data) {
  const { video, camera, coverage, length } = data;
  const sides = data.comparison?.sides;
  const title = sides ? sides.map((side) => `${side.letter} ${side.name}`).join(" and ") : video.name || "Untitled video";
  document.getElementById("name").textContent = title;
  document.getElementById("name").title = sides ? title : video.name;
  const seconds = length > 1 ? data.times[length - 1] - data.times[0] : 0;
  document.getElementById("subtitle").textContent =
    `${sides && video.name ? `${video.name} · ` : ""}${video.width} × ${video.height} · ${+data.fps.toFixed(2)} frames/s · ${seconds.toFixed(1)} s`;
  const sources = {
    guess: badge("guess", "No focal length was given, so it is guessed from the image size. All distances scale with it.", "warn"),
    fov: badge("from FOV", "From the field of view that was given", "plain"),
    file: badge("from file", "From a camera file", "plain"),
    given: badge("given", "As given by the user", "plain"),
  };
  const [x, y] = camera.focal;
  const focal = Math.abs(x - y) < 0.005 * x ? `${Math.round(x)} px` : `${Math.round(x)} × ${Math.round(y)} px`;
  const covered = make("span", {}, percent(coverage.detected));
  covered.title = "Share of person-frames in which the person was detected rather than filled in";
  const share = coverage.filled > 0 ? badge(`${percent(coverage.filled)} filled`, "Filled in between detections: dashed, hatched or translucent here", "plain") : null;
  document.getElementById("facts").append(
    fact("Frames", length.toLocaleString("en")),
    fact("People", sides ? sides.map((side) => `${side.letter} ${side.quality.people}`).join(", ") : String(data.people.length)),
    fact("Focal length", focal, sources[camera.source]),
    sides ? fact("Apart", apart(data.comparison), badge("mean", "Between the same people in both runs, mean of all joints and frames", "plain")) : fact("Detected", covered, share),
  );
  const notes = document.getElementById("notes");
  notes.hidden = !data.notes.length;
  notes.append(...data.notes.map((note) => make("li", {}, note)));
}

function rows(value) {
  return Object.entries(value).map(([key, entry]) => {
    const name = make("th", { scope: "row" }, key.replaceAll("_", " "));
    if (entry !== null && typeof entry === "object") return make("tr", {}, name, make("td", {}, make("table", {}, ...rows(entry))));
    const text = typeof entry === "number" && !Number.isInteger(entry) ? String(+entry.toPrecision(4)) : String(entry ?? "–");
    return make("tr", {}, name, make("td", {}, text));
  });
}

function fillDialog(dialog, id, title, ...content) {
  const close = make("button", { type: "button", className: "icon close", ariaLabel: "Close" }, "×");
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.append(make("div", { className: "sheet" }, make("header", {}, make("h2", { id }, title), close), ...content));
}

export function fillDialogs(data, save) {
  const run = Object.keys(data.run).length ? make("table", { className: "run" }, ...rows(data.run)) : make("p", {}, "Nothing was recorded about this run.");
  const floor = data.ground.source === "estimated" ? "The floor and the vertical were estimated from the feet." : "No floor was estimated: the grid lies at the lowest feet and the camera is taken as upright.";
  fillDialog(document.getElementById("about-dialog"), "about-title", "About this run", make("p", {}, floor), run);
  fillDialog(document.getElementById("export-dialog"), "export-title", "Take the numbers along", ...exportContent(data, save));
  const keys = [
    ["Space", "play or pause"],
    ["← →", "one frame; with Shift, ten"],
    ["Home End", "first and last frame"],
    ["1 2 3 4", "overview, camera, side, top"],
    ["[ ]", "previous or next person alone; Esc for all"],
    ["S V", "skeletons on the video; dim the video"],
    ["T P U" + (data.comparison ? " C" : ""), `timeline, plots, summary${data.comparison ? ", comparison" : ""}`],
    ["+ -", "more or less of the clip on the timeline"],
    ["M", "measure between two joints"],
    ["R", "repeat"],
    ["E", "save numbers, other formats"],
    ["D", "light or dark"],
    ["I ?", "about this run; this list"],
  ];
  const list = make("dl", { className: "keys" });
  for (const [key, text] of keys) {
    const term = make("dt");
    term.append(...key.split(" ").map((one) => make("kbd", {}, one)));
    list.append(term, make("dd", {}, text));
  }
  const touch = make("p", {}, "In space, drag to orbit, pinch or use the wheel to zoom, and drag with two fingers or the right button to pan. Drag along a lane or a plot to scrub; Ctrl with the wheel shows more or less of the clip.");
  fillDialog(document.getElementById("help-dialog"), "help-title", "Keyboard and touch", list, touch);
}
