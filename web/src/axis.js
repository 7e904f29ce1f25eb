// The part of the clip that scrubber, lanes and plots show: all of it, or a stretch that was zoomed to.
const LEAST = 24; // frames

export class Axis extends EventTarget {
  constructor(length) {
    super();
    this.length = length;
    this.start = 0;
    this.count = Math.max(1, length);
  }

  get whole() {
    return this.count >= this.length;
  }

  /** Where the middle of frame k lies, 0 to 1 from left to right; outside of these where it is out of sight. */
  share(k) {
    return (k - this.start + 0.5) / this.count;
  }

  /** The frame at a share of the width. */
  at(share) {
    return Math.max(0, Math.min(this.length - 1, Math.floor(this.start + share * this.count)));
  }

  /** Shows `factor` times as much, and keeps frame k where it is. */
  zoom(factor, k) {
    const count = Math.max(Math.min(LEAST, this.length), Math.min(this.length, Math.round(this.count * factor))) || 1;
    const place = Math.max(0, Math.min(1, this.share(k)));
    this.#move(Math.round(k + 0.5 - place * count), count);
  }

  /** Moves along so that frame k can be seen. */
  follow(k) {
    if (this.whole || (k >= this.start && k < this.start + this.count)) return;
    this.#move(k < this.start ? k - Math.floor(0.9 * this.count) : k - Math.floor(0.1 * this.count), this.count);
  }

  #move(start, count) {
    const first = Math.max(0, Math.min(this.length - count, start));
    if (first === this.start && count === this.count) return;
    this.start = first;
    this.count = count;
    this.dispatchEvent(new Event("moved"));
  }
}

/** Makes dragging or clicking anywhere on a strip go there, and Ctrl with the wheel zoom. */
export function scrubbing(strip, axis, player) {
  const frame = (event) => {
    const box = strip.getBoundingClientRect();
    return axis.at((event.clientX - box.left) / box.width);
  };
  strip.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    strip.setPointerCapture(event.pointerId);
    player.seek(frame(event));
  });
  strip.addEventListener("pointermove", (event) => {
    if (strip.hasPointerCapture(event.pointerId)) player.seek(frame(event));
  });
  strip.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      axis.zoom(event.deltaY > 0 ? 1.4 : 1 / 1.4, frame(event));
    },
    { passive: false },
  );
  return frame;
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600];

/** Round seconds that fit into a width in CSS pixels: [frame, text]. They hold for uneven frame times too. */
export function ticks(axis, player, width) {
  if (!axis.length) return [];
  const first = player.timeOf(axis.start);
  const last = player.timeOf(axis.start + axis.count - 1);
  const room = Math.max(2, Math.floor(width / 70));
  const step = STEPS.find((value) => (last - first) / value <= room) ?? 7200;
  const found = [];
  for (let n = Math.ceil((first - 1e-6) / step); n * step <= last + 1e-6; n++) {
    const seconds = n * step;
    const minutes = `${Math.floor(seconds / 60)}:${String(+(seconds % 60).toFixed(1)).padStart(2, "0")}`;
    found.push([player.at(seconds + 1e-6), seconds >= 60 ? minutes : `${+seconds.toFixed(1)} s`]);
  }
  return found;
}
