// The ruler: pick two joints, on the picture or in space, and read their distance while the clip plays.
const words = (name) => name.replaceAll("_", " ");
const COLOUR = "#e0007a";

export class Measure {
  constructor(data, series, { stage, overlay, plots, changed }) {
    Object.assign(this, { data, series, stage, plots, changed });
    this.active = false;
    this.picks = [];
    this.values = null;
    this.label = document.getElementById("measured");
    overlay.extra = (context, at, unit) => this.#line(context, at, unit);
  }

  toggle(on) {
    this.active = on;
    if (!on) this.picks = [];
    document.body.classList.toggle("measuring", on);
    this.#update();
  }

  /** Takes a joint; the third begins anew. */
  take(hit) {
    if (!hit) return;
    if (this.picks.length === 2) this.picks = [];
    const first = this.picks[0];
    if (first && first.person === hit.person && first.joint === hit.joint) return;
    this.picks.push({ person: hit.person, joint: hit.joint });
    this.#update();
  }

  nameOf({ person, joint }) {
    const who = this.data.people.length > 1 ? `${this.data.people[person].name} ` : "";
    return `${who}${words(this.data.skeleton.names[joint])}`;
  }

  #update() {
    const whole = this.picks.length === 2;
    this.values = whole ? this.series.between(...this.picks.map(({ person, joint }) => this.series.path(person, joint))) : null;
    this.stage?.rule(whole ? this.picks : null);
    const who = whole ? [...new Set(this.picks.map(({ person }) => person))] : [];
    this.plots.measure(whole ? { name: this.picks.map((pick) => this.nameOf(pick)).join(" – "), colour: COLOUR, who, filled: null, values: this.values } : null);
    this.changed();
  }

  /** Says what was measured at a frame. */
  show(k) {
    this.label.hidden = !this.active;
    if (!this.active) return;
    const value = this.values?.[k];
    const far = Number.isFinite(value) ? `${value.toFixed(3)} m` : "– (not both in this frame)";
    this.label.textContent = [
      "Pick two joints, on the video or in space.",
      this.picks[0] && `${this.nameOf(this.picks[0])} – now pick the other joint.`,
      this.picks[1] && `${this.picks.map((pick) => this.nameOf(pick)).join(" – ")}: ${far}`,
    ][this.picks.length];
  }

  #line(context, at, unit) {
    const points = this.picks.map(({ person, joint }) => at(person, joint)).filter((point) => point && !Number.isNaN(point[0]));
    context.strokeStyle = context.fillStyle = COLOUR;
    context.lineWidth = 2 * unit;
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(x, y, 5 * unit, 0, 2 * Math.PI);
      context.stroke();
    }
    if (points.length < 2) return;
    context.beginPath();
    context.moveTo(...points[0]);
    context.lineTo(...points[1]);
    context.stroke();
  }
}
