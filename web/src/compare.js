// Two runs: how they differ in numbers, and who of them is shown where.
import { make } from "./make.js";

const ROWS = [
  ["People", "people", (v) => String(v), 0],
  ["Person-frames", "person_frames", (v) => v.toLocaleString("en"), 0],
  ["Filled in", "filled", (v) => `${(100 * v).toFixed(1)} %`, -1],
  ["Confidence of joints", "confidence", (v) => `${(100 * v).toFixed(0)} %`, 1],
  ["Agreement with the flow", "agreement", (v) => `${(100 * v).toFixed(0)} %`, 1],
  ["Frames with exchanged sides or people", "exchanged", (v) => `${(100 * v).toFixed(1)} %`, -1],
  ["Mean acceleration of joints", "jitter", (v) => `${v.toFixed(2)} m/s²`, -1],
  ["Change of bones' lengths", "bones", (v) => `${(100 * v).toFixed(2)} %`, -1],
  ["3D joints beside 2D joints", "reprojection", (v) => `${v.toFixed(1)} px`, -1],
  ["Uncertainty (1 σ)", "sigma", (v) => `${v.toFixed(3)} m`, 0],
];

const millimetres = (value) => (value === null ? "–" : `${value.toFixed(value < 100 ? 1 : 0)} mm`);
const cell = (name, text, cls = "") => make(name, { className: cls }, text);

export function fillComparison(data, goTo) {
  const box = document.getElementById("comparison");
  const { comparison } = data;
  if (!comparison) return;
  const heads = comparison.sides.map((side) => {
    const head = make("th", { scope: "col" }, make("i", { className: "swatch" }), `${side.letter} · ${side.name}`);
    head.style.setProperty("--colour", side.colour);
    return head;
  });
  const body = ROWS.map(([title, key, text, better]) => {
    const values = comparison.sides.map((side) => side.quality[key]);
    if (values.every((value) => value === null)) return null;
    const shown = values.map((value) => (value === null ? "–" : text(value)));
    const differ = shown[0] !== shown[1] && values.every((value) => value !== null);
    const best = better && differ ? ((values[0] - values[1]) * better > 0 ? 0 : 1) : -1;
    return make("tr", {}, make("th", { scope: "row" }, title), ...shown.map((value, side) => cell("td", value, side === best ? "better" : "")));
  });
  const [a, b] = comparison.sides;
  const [onlyA, onlyB] = comparison.only;
  const words = make(
    "div",
    { className: "apart" },
    make("p", { className: "big" }, make("b", { id: "mean-distance" }, millimetres(comparison.distance_mm)), " between the same people, mean of all joints and frames"),
    make("p", {}, `${millimetres(comparison.pose_mm)} with the pelvis of both laid upon each other; the pelvises are ${millimetres(comparison.root_mm)} apart.`),
    make("p", {}, `${comparison.matched.toLocaleString("en")} person-frames in both, ${onlyA.toLocaleString("en")} in ${a.letter} only, ${onlyB.toLocaleString("en")} in ${b.letter} only, over ${comparison.frames.toLocaleString("en")} common frames.`),
  );
  const pairs = make("table", { className: "pairs" }, make("tr", {}, ...["Same person", "Frames", "Apart", "Pose", ""].map((text) => cell("th", text))));
  for (const pair of comparison.pairs.slice(0, 20)) {
    const jump = make("button", { type: "button", className: "chip", title: "Go to the frame in which they are farthest apart" }, "worst frame");
    jump.addEventListener("click", () => goTo(pair));
    pairs.append(
      make("tr", {}, cell("td", `${a.letter}${pair.first} – ${b.letter}${pair.second}`), cell("td", String(pair.frames)), cell("td", millimetres(pair.distance_mm)), cell("td", millimetres(pair.pose_mm)), make("td", {}, jump)),
    );
  }
  const table = make("table", { className: "qualities" }, make("tr", {}, make("th", {}), ...heads), ...body.filter(Boolean));
  box.append(make("div", { className: "compared" }, make("div", {}, words, pairs), table));
}

/** The frame in which two people are farthest apart. */
export function worst(data, pair) {
  const one = data.people.find((person) => person.side === 0 && person.id === pair.first);
  let best = 0;
  let most = -1;
  one?.row.forEach((row, k) => {
    if (row >= 0 && one.apart[row] > most) [most, best] = [one.apart[row], k];
  });
  return best;
}

export const LAYOUTS = { over: [[0, 1]], beside: [[0], [1]], a: [[0]], b: [[1]] };

export function layoutButtons(data, choose) {
  const box = document.getElementById("layouts");
  box.hidden = !data.comparison;
  if (!data.comparison) return;
  const [a, b] = data.comparison.sides;
  const names = { over: "Overlaid", beside: "Side by side", a: a.letter, b: b.letter };
  const buttons = Object.entries(names).map(([key, text]) => {
    const button = make("button", { type: "button", className: "chip", textContent: text });
    button.dataset.layout = key;
    button.setAttribute("aria-pressed", String(key === "over"));
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      choose(key);
    });
    return button;
  });
  box.append(...buttons);
}
