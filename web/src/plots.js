// Curves over time under the scrubber, on its axis: each row is a quantity, with its values at the frame on show.
import { scrubbing, ticks } from "./axis.js";
import { make } from "./make.js";
import { faint } from "./payload.js";
import { Series, kinds } from "./series.js";

const FIRST = ["apart", "speed", "angle"];
const MOST = 8;

/** Round steps between values. */
function steps(low, high, most) {
  const raw = (high - low) / most || 1;
  const ten = 10 ** Math.floor(Math.log10(raw));
  return ten * ([1, 2, 5].find((n) => n * ten >= raw) ?? 10);
}

export class Plots {
  constructor(data, player, axis, { choose }) {
    this.choose = choose;
    this.data = data;
    this.player = player;
    this.axis = axis;
    this.series = new Series(data);
    this.kinds = kinds(data);
    this.box = document.getElementById("plots");
    this.rows = [];
    this.sides = new Set([0, 1]);
    this.k = 0;
    this.chosen = null;
    this.shown = false;
    this.list = make("div", { className: "plot-list" });
    this.adder = make("button", { type: "button", className: "chip add", textContent: "Add a plot" });
    this.adder.addEventListener("click", () => this.add());
    this.save = make("button", { type: "button", className: "chip", id: "save-csv", textContent: "Save as CSV", title: "The numbers of these plots as a table (E)" });
    this.box.append(this.list, make("div", { className: "plot-foot" }, this.adder, this.save));
    axis.addEventListener("moved", () => this.paint());
    new ResizeObserver(() => this.paint()).observe(this.list);
  }

  /** What is plotted at first: only once somebody looks, because it takes time in a long clip. */
  open() {
    if (this.shown) return this.paint();
    this.shown = true;
    if (!this.data.people.length) this.list.append(make("p", { className: "nobody", textContent: "No one was found in this video." }));
    const first = FIRST.filter((kind) => kind in this.kinds && !this.rows.some((row) => row.kind === kind));
    if (this.data.people.length) for (const kind of first.slice(0, 2)) this.add(kind);
    this.paint();
  }

  add(kind, what) {
    if (this.rows.length >= MOST || !this.data.people.length) return null;
    const unused = Object.keys(this.kinds).find((name) => !this.rows.some((row) => row.kind === name));
    const row = { kind: kind ?? unused ?? "speed", what, curves: [] };
    this.#build(row);
    this.rows.push(row);
    this.list.append(row.element);
    this.#compute(row);
    this.adder.disabled = this.rows.length >= MOST;
    if (!kind) row.element.scrollIntoView({ block: "nearest" });
    return row;
  }

  remove(row) {
    this.rows = this.rows.filter((one) => one !== row);
    row.element.remove();
    this.adder.disabled = false;
  }

  #build(row) {
    const kind = make("select", { ariaLabel: "Quantity" });
    for (const [name, { label }] of Object.entries(this.kinds)) kind.append(make("option", { value: name, textContent: label }));
    row.of = make("select", { ariaLabel: "Of what" });
    const close = make("button", { type: "button", className: "icon remove", ariaLabel: "Remove this plot", title: "Remove this plot" }, "×");
    row.canvas = make("canvas", { role: "img" });
    row.strip = make("div", { className: "plot" }, row.canvas, make("i", { className: "head-line" }));
    row.values = make("div", { className: "values" });
    row.element = make("div", { className: "plot-row" }, make("div", { className: "what" }, make("div", { className: "one-line" }, kind, close), row.of), row.strip, row.values);
    kind.addEventListener("change", () => {
      row.kind = kind.value;
      row.what = undefined;
      this.#compute(row);
    });
    row.of.addEventListener("change", () => {
      row.what = row.of.value;
      this.#compute(row);
    });
    close.addEventListener("click", () => this.remove(row));
    scrubbing(row.strip, this.axis, this.player);
    row.select = kind;
  }

  #compute(row) {
    const kind = this.kinds[row.kind];
    const choices = kind.of ? this.series[kind.of] : [];
    row.what ??= kind.first ?? choices[0]?.key;
    row.select.value = row.kind;
    row.of.replaceChildren(...choices.map(({ key, label }) => make("option", { value: key, textContent: label })));
    row.of.hidden = !choices.length;
    if (choices.length) row.of.value = row.what;
    row.curves = kind.curves(this.series, row.what);
    row.values.replaceChildren(
      ...row.curves.map((curve) => {
        curve.text = make("b", {}, "–");
        const dot = make("i", { className: "swatch" });
        dot.style.setProperty("--colour", curve.other ? `linear-gradient(90deg, ${curve.colour} 50%, ${curve.other} 50%)` : curve.colour);
        curve.line = make("span", { title: curve.name }, dot, make("span", {}, curve.name), curve.text);
        curve.line.addEventListener("click", () => curve.who.length && this.choose(curve.who[0]));
        return curve.line;
      }),
    );
    row.values.classList.toggle("many", row.curves.length > 5);
    row.canvas.setAttribute("aria-label", this.titleOf(row));
    this.#draw(row);
    this.#tell(row);
  }

  titleOf(row) {
    const { label, unit, of } = this.kinds[row.kind];
    const what = of ? this.series[of].find(({ key }) => key === row.what)?.label : "";
    return `${label}${what ? ` of ${what}` : ""} (${unit})`;
  }

  /** Sees a measured line as a quantity of its own: curves of no person, named by its ends. */
  measure(curve) {
    const old = this.rows.find((row) => row.kind === "measure");
    if (!curve) {
      delete this.kinds.measure;
      if (old) this.remove(old);
      return;
    }
    this.kinds.measure = { label: "Measured", unit: "m", digits: 3, of: null, curves: () => [curve] };
    if (old) return this.#compute(old);
    for (const row of this.rows) row.select.querySelector("[value=measure]")?.remove();
    const row = this.add("measure");
    if (row) this.list.prepend(row.element);
  }

  visible(curve) {
    return curve.who.every((index) => this.sides.has(this.data.people[index].side));
  }

  #faint(curve) {
    return curve.who.length > 0 && curve.who.every((index) => faint(this.data, this.chosen, index));
  }

  show(k, chosen) {
    this.k = k;
    const other = chosen !== this.chosen;
    this.chosen = chosen;
    if (!this.shown || this.box.hidden) return;
    if (other) this.paint();
    for (const row of this.rows) this.#tell(row);
  }

  #tell(row) {
    const { digits, unit } = this.kinds[row.kind];
    row.strip.style.setProperty("--at", `${this.axis.share(this.k) * 100}%`);
    for (const curve of row.curves) {
      const value = curve.values[this.k];
      curve.text.textContent = Number.isFinite(value) ? `${value.toFixed(digits)}${unit === "°" ? "°" : ` ${unit}`}` : "–";
      curve.line.hidden = !this.visible(curve);
      curve.line.classList.toggle("faint", this.#faint(curve));
    }
  }

  paint() {
    if (!this.shown || this.box.hidden) return;
    for (const row of this.rows) {
      this.#draw(row);
      this.#tell(row);
    }
  }

  #draw(row) {
    const { canvas, strip } = row;
    if (!strip.clientWidth) return;
    const ratio = window.devicePixelRatio || 1;
    const width = (canvas.width = Math.round(strip.clientWidth * ratio));
    const height = (canvas.height = Math.round(strip.clientHeight * ratio));
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    const [ink, line] = [style.getPropertyValue("--soft"), style.getPropertyValue("--line")];
    const { start, count } = this.axis;
    const curves = row.curves.filter((curve) => this.visible(curve));
    let [low, high] = [Infinity, -Infinity];
    for (const { values } of curves) {
      for (let k = start; k < start + count; k++) {
        if (values[k] < low) low = values[k];
        if (values[k] > high) high = values[k];
      }
    }
    if (!(high >= low)) [low, high] = [0, 1];
    // Nothing is magnified until only noise is seen.
    const least = { "°": 10, m: 0.1, "m/s": 0.2, mm: 10 }[this.kinds[row.kind].unit];
    if (low > 0 && low < 0.5 * high) low = 0;
    if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
    const pad = 0.06 * (high - low);
    [low, high] = [low === 0 ? 0 : low - pad, high + pad];
    const y = (value) => height - 3 * ratio - ((value - low) / (high - low)) * (height - 7 * ratio);
    const x = (k) => this.axis.share(k) * width;
    pen.lineWidth = Math.max(1, Math.round(ratio));
    pen.strokeStyle = line;
    for (const [k] of ticks(this.axis, this.player, strip.clientWidth)) {
      pen.beginPath();
      pen.moveTo(Math.round(x(k)) + 0.5, 0);
      pen.lineTo(Math.round(x(k)) + 0.5, height);
      pen.stroke();
    }
    const step = steps(low, high, 4);
    const labels = [];
    for (let n = Math.ceil(low / step); n * step <= high; n++) {
      const at = Math.round(y(n * step)) + 0.5;
      pen.beginPath();
      pen.moveTo(0, at);
      pen.lineTo(width, at);
      pen.stroke();
      labels.push([String(+(n * step).toPrecision(6)), at]);
    }
    for (const curve of curves) this.#curve(pen, curve, x, y, ratio);
    // Over the curves, on a patch, so that they can be read wherever a curve goes.
    pen.font = `${10.5 * ratio}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    for (const [text, at] of labels) {
      const inside = Math.max(7 * ratio, Math.min(height - 7 * ratio, at));
      pen.fillStyle = style.getPropertyValue("--surface");
      pen.fillRect(2 * ratio, inside - 7 * ratio, pen.measureText(text).width + 4 * ratio, 14 * ratio);
      pen.fillStyle = ink;
      pen.fillText(text, 4 * ratio, inside);
    }
  }

  /** Filled frames are dotted; where frames outnumber pixels, a column shows all that happens in it. */
  #curve(pen, curve, x, y, ratio) {
    const { start, count, length } = this.axis;
    const { values, filled, colour, other } = curve;
    const stop = Math.min(length, start + count + 1);
    const isFilled = (k) => filled && filled.filled[filled.row[k]];
    pen.globalAlpha = this.#faint(curve) ? 0.2 : 1;
    pen.lineWidth = 1.7 * ratio;
    pen.lineJoin = "round";
    for (const dotted of [false, true]) {
      pen.setLineDash(dotted ? [1.5 * ratio, 3 * ratio] : []);
      pen.strokeStyle = colour;
      pen.beginPath();
      let down = false;
      let column = { at: -1, low: 0, high: 0 };
      for (let k = Math.max(0, start - 1); k < stop; k++) {
        const value = values[k];
        if (Number.isNaN(value) || Boolean(isFilled(k)) !== dotted) {
          // A dotted stretch begins and ends where the solid one does.
          if (dotted && down && !Number.isNaN(value)) pen.lineTo(x(k), y(value));
          if (dotted && !down && !Number.isNaN(value)) pen.moveTo(x(k), y(value));
          down = dotted && !Number.isNaN(value) && k + 1 < stop && Boolean(isFilled(k + 1));
          continue;
        }
        const at = Math.floor(x(k));
        if (down && at === column.at) {
          if (value < column.low || value > column.high) pen.lineTo(x(k), y(value));
          column.low = Math.min(column.low, value);
          column.high = Math.max(column.high, value);
          continue;
        }
        if (down) pen.lineTo(x(k), y(value));
        else pen.moveTo(x(k), y(value));
        down = true;
        column = { at, low: value, high: value };
      }
      pen.stroke();
      if (other) {
        // The distance of two people is of both colours.
        pen.strokeStyle = other;
        pen.lineDashOffset = 0;
        if (!dotted) pen.setLineDash([6 * ratio, 6 * ratio]);
        pen.stroke();
      }
    }
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  /** Everything that is plotted, for a table: [{title, values}]. */
  columns() {
    return this.rows.flatMap((row) => row.curves.filter((curve) => this.visible(curve)).map((curve) => ({ title: `${curve.name}: ${this.titleOf(row)}`, values: curve.values })));
  }
}
