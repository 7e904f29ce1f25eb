// The small read-out that follows the pointer over a person.
import { doubts, nameOf } from "./payload.js";
import { metres, reading } from "./timeline.js";

const words = (name) => name.replaceAll("_", " ");

export class Tip {
  constructor(data) {
    this.data = data;
    this.box = document.getElementById("tip");
  }

  /** `hit` is {person, joint} or null; the place is in CSS pixels of the window. */
  show(hit, k, x, y) {
    const one = hit && this.data.people[hit.person];
    const row = one ? (one.row[k] ?? -1) : -1;
    this.box.hidden = row < 0;
    if (row < 0) return;
    const now = reading(this.data, one, k);
    const confidence = one.confidence[row * this.data.joints + hit.joint];
    const agreed = one.agreement ? one.agreement[row * this.data.joints + hit.joint] : NaN;
    const title = document.createElement("strong");
    title.textContent = `${nameOf(this.data, one)} · ${words(this.data.skeleton.names[hit.joint])}`;
    const lines = [
      now.filled ? "filled in, not detected here" : `confidence ${Math.round(confidence * 100)} %`,
      `${metres(now.distance)} away${Number.isFinite(now.sigma) ? ` ± ${metres(now.sigma)}` : ""}`,
      ...(one.apart && !Number.isNaN(one.apart[row]) ? [`${Math.round(1000 * one.apart[row])} mm from ${this.data.people[one.partner]?.name ?? "the other run"}, mean of joints`] : []),
      ...(Number.isNaN(agreed) ? [] : [`agrees with the flow to ${Math.round(agreed * 100)} %`]),
      ...doubts(this.data, one, row),
    ].map((text) => {
      const line = document.createElement("span");
      line.textContent = text;
      return line;
    });
    this.box.replaceChildren(title, ...lines);
    const { offsetWidth: width, offsetHeight: height } = this.box;
    this.box.style.left = `${Math.max(6, Math.min(window.innerWidth - width - 6, x + 14))}px`;
    this.box.style.top = `${Math.max(6, Math.min(window.innerHeight - height - 6, y + 16))}px`;
  }

  hide() {
    this.box.hidden = true;
  }
}
