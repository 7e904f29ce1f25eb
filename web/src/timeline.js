// The scrubber with its time axis, and one lane per person: present solid, filled hatched, absent empty. Where the flow
// was asked, a band below says how far it agrees with the pose, and marks above say who is taken for someone else.
import { agreementOf, doubts, rootOf } from "./payload.js";
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
  constructor(data, player, { choose }) {
    this.data = data;
    this.player = player;
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
      name.append(element("i", "swatch"), element("span", "", `Person ${one.id}`));
      name.addEventListener("click", () => choose(index));
      const strip = element("div", "strip");
      strip.setAttribute("role", "img");
      strip.setAttribute("aria-label", this.#spoken(one));
      const canvas = element("canvas", "");
      strip.append(canvas, element("i", "head-line"));
      this.#scrub(strip);
      this.#tell(strip, one);
      const numbers = ["distance", "height", "sigma"].map((what) => element("span", `num ${what}`, "–"));
      lane.append(name, strip, ...numbers);
      box.append(lane);
      return { lane, name, strip, canvas, numbers, one };
    });
    if (!this.lanes.length) box.append(element("p", "nobody", "No one was found in this video."));
    new ResizeObserver(() => this.paint()).observe(box);
    new ResizeObserver(() => this.#axis()).observe(this.ticks);
  }

  #spoken(one) {
    const filled = one.filled.filter(Boolean).length;
    const first = one.runs.length ? one.runs[0][0] : 0;
    return `Person ${one.id}: in ${one.filled.length} of ${this.data.length} frames from ${this.player.timeOf(first).toFixed(1)} s, ${filled} filled`;
  }

  /** Drag or click anywhere on a strip goes there. */
  #scrub(strip) {
    const go = (event) => {
      const box = strip.getBoundingClientRect();
      this.player.seek(Math.floor(((event.clientX - box.left) / box.width) * this.data.length));
    };
    strip.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      strip.setPointerCapture(event.pointerId);
      go(event);
    });
    strip.addEventListener("pointermove", (event) => {
      if (strip.hasPointerCapture(event.pointerId)) go(event);
    });
  }

  /** What the flow says where the pointer is. */
  #tell(strip, one) {
    strip.addEventListener("pointermove", (event) => {
      const box = strip.getBoundingClientRect();
      const k = Math.floor(((event.clientX - box.left) / box.width) * this.data.length);
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
      const cell = width / this.data.length;
      for (const [start, count, filled] of one.runs) {
        const x = Math.floor(start * cell);
        const w = Math.max(1, Math.ceil((start + count) * cell) - x);
        context.fillStyle = filled ? this.#hatch(context, one.colour, ratio) : one.colour;
        context.fillRect(x, 0, w, height);
      }
      this.#agreement(context, one, cell, height, ratio);
    }
  }

  #agreement(context, one, cell, height, ratio) {
    const band = Math.round(6 * ratio);
    one.row.forEach((row, k) => {
      if (row < 0) return;
      const x = Math.floor(k * cell);
      const w = Math.max(1, Math.ceil((k + 1) * cell) - x);
      const agreed = agreementOf(this.data, one, row);
      if (agreed) {
        context.fillStyle = "#ffffff";
        context.fillRect(x, height - band - Math.ceil(ratio), w, Math.ceil(ratio));
        context.fillStyle = shadeOf(agreed.mean);
        context.fillRect(x, height - band, w, band);
      }
      if (one.flags[row] & SWAPPED) {
        // Two colours, so that it is seen on every other.
        context.fillStyle = "#ffffff";
        context.fillRect(x, 0, Math.max(w, 3 * ratio), height - band);
        context.fillStyle = "#b00020";
        context.fillRect(x, 0, Math.max(w, 3 * ratio), 0.65 * (height - band));
      }
    });
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

  /** Ticks at round seconds, placed at the frames that lie there, so that they hold for uneven frame times too. */
  #axis() {
    const { player, data } = this;
    const room = Math.max(2, Math.floor(this.ticks.clientWidth / 70));
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600];
    const step = steps.find((value) => player.duration / value <= room) ?? 7200;
    this.ticks.replaceChildren();
    for (let n = 0; n * step <= player.duration; n++) {
      const k = player.at(n * step + 1e-6);
      const seconds = n * step;
      const text = seconds >= 60 ? `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, "0")}` : `${+seconds.toFixed(1)} s`;
      const tick = element("span", "", text);
      tick.style.left = `${((k + 0.5) / data.length) * 100}%`;
      this.ticks.append(tick);
    }
  }

  show(k, chosen) {
    this.scrubber.value = String(k);
    this.scrubber.setAttribute("aria-valuetext", `frame ${this.data.frames[k]}, ${this.player.timeOf(k).toFixed(2)} seconds`);
    const share = ((k + 0.5) / Math.max(1, this.data.length)) * 100;
    this.lanes.forEach(({ lane, name, numbers, one }, index) => {
      const now = reading(this.data, one, k);
      lane.style.setProperty("--at", `${share}%`);
      lane.classList.toggle("absent", !now.present);
      lane.classList.toggle("filled", now.filled);
      lane.classList.toggle("other", chosen !== null && chosen !== index);
      name.setAttribute("aria-pressed", String(chosen === index));
      numbers[0].textContent = metres(now.distance);
      numbers[1].textContent = metres(now.height);
      numbers[2].textContent = Number.isFinite(now.sigma) ? `± ${metres(now.sigma)}` : "–";
    });
  }
}
