// The scrubber with its time axis, and one lane per person: present solid, filled hatched, absent empty. Where the flow
// was asked, a band below says how far it agrees with the pose, and marks above say who is taken for someone else.
import { scrubbing, ticks } from "./axis.js";
import { agreementOf, doubts, faint, nameOf, rootOf } from "./payload.js";
import { css, channels } from "./colour.js";

// From "off" over "as likely as not" to "right", told apart by all common forms of colour vision.
const SCALE = [[213, 94, 0], [240, 228, 66], [0, 114, 178]];
const SWAPPED = 8 | 16;

function shadeOf(value) {
  const at = Math.min(Math.max(value, 0), 1) * 2;
  const low = Math.min(Math.floor(at), 1);
  return css(SCALE[low].map((channel, i) => Math.round(channel + (SCALE[low + 1][i] - channel) * (at - low))), 1);
}

const words = (name) => name.replaceAll("_", " ");

const element = (name, cls, text) => {
  const made = document.createElement(name);
  made.className = cls;
  if (text !== undefined) made.textContent = text;
  return made;
};

export const metres = (value, digits = 2) => (Number.isFinite(value) ? `${value.toFixed(digits)} m` : "–");

/** What is known of a person at a timeline position: distance from the camera, height, one standard deviation; m. */
export function reading(data, one, k) {
  const row = one.row[k] ?? -1;
  const root = row < 0 ? null : rootOf(data, one, k);
  return {
    present: row >= 0,
    filled: row >= 0 && one.filled[row],
    distance: root ? Math.hypot(...root) : NaN,
    height: one.height ?? NaN,
    sigma: row < 0 ? NaN : one.sigma[row],
  };
}

export class Timeline {
  constructor(data, player, axis, { choose }) {
    this.data = data;
    this.player = player;
    this.axis = axis;
    axis.addEventListener("moved", () => this.#moved());
    this.scrubber = document.getElementById("scrubber");
    this.scrubber.max = String(Math.max(0, data.length - 1));
    this.scrubber.addEventListener("input", () => player.seek(Number(this.scrubber.value)));
    this.ticks = document.getElementById("ticks");
    const box = document.getElementById("lanes");
    this.lanes = data.people.map((one, index) => {
      const lane = element("div", "lane");
      lane.style.setProperty("--colour", one.colour);
      const name = element("button", "who");
      name.type = "button";
      name.title = "Show this person alone";
      name.append(element("i", "swatch"), element("span", "", nameOf(data, one)));
      name.addEventListener("click", () => choose(index));
      const strip = element("div", "strip");
      strip.setAttribute("role", "img");
      strip.setAttribute("aria-label", this.#spoken(one));
      const canvas = element("canvas", "");
      strip.append(canvas, element("i", "head-line"));
      scrubbing(strip, axis, player);
      this.#tell(strip, one);
      const numbers = ["distance", "height", "sigma"].map((what) => element("span", `num ${what}`, "–"));
      lane.append(name, strip, ...numbers);
      box.append(lane);
      return { lane, name, strip, canvas, numbers, one };
    });
    if (!this.lanes.length) box.append(element("p", "nobody", "No one was found in this video."));
    new ResizeObserver(() => this.paint()).observe(box);
    new ResizeObserver(() => this.#paintTicks()).observe(this.ticks);
  }

  #spoken(one) {
    const filled = one.filled.filter(Boolean).length;
    const first = one.runs.length ? one.runs[0][0] : 0;
    return `${nameOf(this.data, one)}: in ${one.filled.length} of ${this.data.length} frames from ${this.player.timeOf(first).toFixed(1)} s, ${filled} filled`;
  }

  /** What the flow says where the pointer is. */
  #tell(strip, one) {
    strip.addEventListener("pointermove", (event) => {
      const box = strip.getBoundingClientRect();
      const k = this.axis.at((event.clientX - box.left) / box.width);
      const row = one.row[k] ?? -1;
      strip.title = row < 0 ? "" : this.spokenAt(one, k, row);
    });
  }

  spokenAt(one, k, row) {
    const { data } = this;
    const lines = [`Frame ${data.frames[k]}`];
    const agreed = agreementOf(data, one, row);
    if (agreed) {
      const percent = (value) => `${Math.round(100 * value)} %`;
      const joint = words(data.skeleton.names[agreed.joint]);
      lines.push(`agrees with the flow to ${percent(agreed.mean)}, least the ${joint} (${percent(agreed.least)})`);
    }
    return [...lines, ...doubts(data, one, row)].join("\n");
  }

  paint() {
    const ratio = window.devicePixelRatio || 1;
    for (const { canvas, strip, one } of this.lanes) {
      const width = (canvas.width = Math.max(1, Math.round(strip.clientWidth * ratio)));
      const height = (canvas.height = Math.max(1, Math.round(strip.clientHeight * ratio)));
      const context = canvas.getContext("2d");
      const cell = width / this.axis.count;
      for (const [start, count, filled] of one.runs) {
        const x = Math.floor((start - this.axis.start) * cell);
        const w = Math.max(1, Math.ceil((start + count - this.axis.start) * cell) - x);
        if (x + w < 0 || x > width) continue;
        context.fillStyle = filled ? this.#hatch(context, one.colour, ratio) : one.colour;
        context.fillRect(x, 0, w, height);
      }
      this.#agreement(context, one, cell, height, ratio);
    }
  }

  /** Below, how far the flow agrees, and above, who is taken for somebody else: the worst of the frames of a column. */
  #agreement(context, one, cell, height, ratio) {
    const band = Math.round(6 * ratio);
    const { start, count, length } = this.axis;
    const wide = Math.max(1, Math.ceil(cell));
    const means = this.#means(one);
    const last = Math.min(length, start + count);
    for (let k = start; k < last; ) {
      const x = Math.floor((k - start) * cell);
      let least = NaN;
      let swapped = false;
      do {
        const row = one.row[k];
        if (row >= 0) {
          if (means && !(means[row] >= least)) least = means[row];
          swapped ||= Boolean(one.flags[row] & SWAPPED);
        }
        k++;
      } while (k < last && Math.floor((k - start) * cell) === x);
      if (!Number.isNaN(least)) {
        context.fillStyle = "#ffffff";
        context.fillRect(x, height - band - Math.ceil(ratio), wide, Math.ceil(ratio));
        context.fillStyle = shadeOf(least);
        context.fillRect(x, height - band, wide, band);
      }
      if (swapped) {
        // Two colours, so that it is seen on every other.
        context.fillStyle = "#ffffff";
        context.fillRect(x, 0, Math.max(wide, 3 * ratio), height - band);
        context.fillStyle = "#b00020";
        context.fillRect(x, 0, Math.max(wide, 3 * ratio), 0.65 * (height - band));
      }
    }
  }

  #means(one) {
    if (!one.agreement) return null;
    one.means ??= Float32Array.from({ length: one.filled.length }, (_, row) => agreementOf(this.data, one, row)?.mean ?? NaN);
    return one.means;
  }

  #hatch(context, colour, ratio) {
    const size = Math.round(6 * ratio);
    const tile = document.createElement("canvas");
    tile.width = tile.height = size;
    const pen = tile.getContext("2d");
    pen.fillStyle = css(channels(colour), 0.22);
    pen.fillRect(0, 0, size, size);
    pen.strokeStyle = colour;
    pen.lineWidth = 1.4 * ratio;
    pen.beginPath();
    for (const shift of [-size, 0, size]) {
      pen.moveTo(shift - 1, size + 1);
      pen.lineTo(shift + size + 1, -1);
    }
    pen.stroke();
    return context.createPattern(tile, "repeat");
  }

  #paintTicks() {
    this.ticks.replaceChildren(
      ...ticks(this.axis, this.player, this.ticks.clientWidth).map(([k, text]) => {
        const tick = element("span", this.axis.share(k) < 0.03 ? "first" : this.axis.share(k) > 0.97 ? "last" : "", text);
        tick.style.left = `${this.axis.share(k) * 100}%`;
        return tick;
      }),
    );
  }

  #moved() {
    this.scrubber.min = String(this.axis.start);
    this.scrubber.max = String(this.axis.start + this.axis.count - 1);
    this.#paintTicks();
    this.paint();
    this.show(this.k ?? 0, this.chosen ?? null);
  }

  show(k, chosen) {
    this.k = k;
    this.chosen = chosen;
    this.scrubber.value = String(k);
    this.scrubber.setAttribute("aria-valuetext", `frame ${this.data.frames[k]}, ${this.player.timeOf(k).toFixed(2)} seconds`);
    const share = this.axis.share(k) * 100;
    this.lanes.forEach(({ lane, name, numbers, one }, index) => {
      const now = reading(this.data, one, k);
      lane.style.setProperty("--at", `${share}%`);
      lane.classList.toggle("absent", !now.present);
      lane.classList.toggle("filled", now.filled);
      lane.classList.toggle("other", faint(this.data, chosen, index));
      name.setAttribute("aria-pressed", String(chosen === index));
      numbers[0].textContent = metres(now.distance);
      numbers[1].textContent = metres(now.height);
      numbers[2].textContent = Number.isFinite(now.sigma) ? `± ${metres(now.sigma)}` : "–";
    });
  }
}
