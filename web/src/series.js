// Quantities over time, each as curves of one number a frame, NaN where nothing is known.
const words = (name) => name.replaceAll("_", " ");
const HALF = 0.15; // a speed is the slope of a line through positions so many seconds before and after

const LIMBS = [
  ["knee", "knee flexion", ["hip", "knee", "ankle"]],
  ["hip", "hip flexion", [null, "hip", "knee"]],
  ["elbow", "elbow flexion", ["shoulder", "elbow", "wrist"]],
  ["shoulder", "arm raised", [null, "shoulder", "elbow"]],
];

/** The angles that a skeleton has: key, label, and how it is measured at {a, at, b} (names of joints). */
export function angles(data) {
  const has = (name) => data.skeleton.names.includes(name);
  const found = [];
  for (const [part, label, [a, at, b]] of LIMBS) {
    for (const side of ["left", "right"]) {
      const joint = (name) => name && `${side}_${name}`;
      const ends = a ? [joint(a)] : ["pelvis", "neck"];
      if (![...ends, joint(at), joint(b)].every(has)) continue;
      found.push({ key: `${side}_${part}`, label: `${side} ${label}`, part, a: joint(a), at: joint(at), b: joint(b) });
    }
  }
  if (has("pelvis") && has("neck")) found.push({ key: "trunk", label: "trunk from upright", part: "trunk" });
  return found;
}

export class Series {
  #paths = new Map();

  constructor(data) {
    this.data = data;
    this.angles = angles(data);
    this.joints = data.skeleton.names.map((name, joint) => ({ key: String(joint), label: words(name) }));
    this.times = data.times;
  }

  /** A joint in the scene's coordinates (y up, floor at 0), 3 numbers a frame. */
  path(index, joint) {
    const key = `${index}/${joint}`;
    const known = this.#paths.get(key);
    if (known) return known;
    const { data } = this;
    const one = data.people[index];
    const out = new Float32Array(3 * data.length).fill(NaN);
    for (let k = 0; k < data.length; k++) {
      if (one.row[k] < 0) continue;
      const at = (one.row[k] * data.joints + joint) * 3;
      out.set(data.toScene(one.xyz[at], one.xyz[at + 1], one.xyz[at + 2]), 3 * k);
    }
    this.#paths.set(key, out);
    return out;
  }

  #named(index, name) {
    return this.path(index, this.data.skeleton.names.indexOf(name));
  }

  between(a, b) {
    const out = new Float32Array(this.data.length);
    for (let k = 0; k < out.length; k++) out[k] = Math.hypot(a[3 * k] - b[3 * k], a[3 * k + 1] - b[3 * k + 1], a[3 * k + 2] - b[3 * k + 2]);
    return out;
  }

  height(index, joint) {
    const path = this.path(index, joint);
    return Float32Array.from({ length: this.data.length }, (_, k) => path[3 * k + 1]);
  }

  speed(index, joint) {
    const { times, data } = this;
    const path = this.path(index, joint);
    const out = new Float32Array(data.length).fill(NaN);
    let low = 0;
    let high = 0;
    for (let k = 0; k < data.length; k++) {
      while (times[low] < times[k] - HALF - 1e-9) low++;
      while (high < data.length && times[high] <= times[k] + HALF + 1e-9) high++;
      if (Number.isNaN(path[3 * k])) continue;
      let [n, t1, t2] = [0, 0, 0];
      const v1 = [0, 0, 0];
      const tv = [0, 0, 0];
      for (let i = low; i < high; i++) {
        if (Number.isNaN(path[3 * i])) continue;
        const t = times[i] - times[k];
        n++;
        t1 += t;
        t2 += t * t;
        for (let axis = 0; axis < 3; axis++) {
          const value = path[3 * i + axis] - path[3 * k + axis];
          v1[axis] += value;
          tv[axis] += t * value;
        }
      }
      const spread = n * t2 - t1 * t1;
      if (n >= 3 && spread > 1e-9) out[k] = Math.hypot(...[0, 1, 2].map((axis) => (n * tv[axis] - t1 * v1[axis]) / spread));
    }
    return out;
  }

  angle(index, key) {
    const angle = this.angles.find((one) => one.key === key);
    const out = new Float32Array(this.data.length);
    const part = (path, k) => [path[3 * k], path[3 * k + 1], path[3 * k + 2]];
    const minus = (p, q) => [p[0] - q[0], p[1] - q[1], p[2] - q[2]];
    const paths = [angle.a, angle.at, angle.b].map((name) => name && this.#named(index, name));
    const trunk = angle.a ? null : [this.#named(index, "pelvis"), this.#named(index, "neck")];
    for (let k = 0; k < out.length; k++) {
      const up = trunk && minus(part(trunk[1], k), part(trunk[0], k));
      // Each is 0 when somebody stands upright with arms hanging and all limbs straight.
      if (angle.part === "trunk") out[k] = between(up, [0, 1, 0]);
      else if (angle.part === "hip") out[k] = 180 - between(up, minus(part(paths[2], k), part(paths[1], k)));
      else if (angle.part === "shoulder") out[k] = between([-up[0], -up[1], -up[2]], minus(part(paths[2], k), part(paths[1], k)));
      else out[k] = 180 - between(minus(part(paths[0], k), part(paths[1], k)), minus(part(paths[2], k), part(paths[1], k)));
    }
    return out;
  }

  apart(index) {
    const one = this.data.people[index];
    return Float32Array.from(one.row, (row) => (row < 0 || !one.apart ? NaN : 1000 * one.apart[row]));
  }
}

/** Angle between two directions in degrees. */
function between(a, b) {
  const size = Math.hypot(...a) * Math.hypot(...b);
  if (!(size > 1e-12)) return NaN;
  return (Math.acos(Math.max(-1, Math.min(1, (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) / size))) * 180) / Math.PI;
}

const PAIRS = 10;
// Pairs of partners are of both runs' colours, so they get others.
const MATES = ["#009e73", "#cc79a7", "#0072b2", "#d55e00", "#8a8f98", "#6a3d9a", "#a6761d"];

/** What can be plotted: label, unit, digits, what it is of, and its curves {name, colour, who, filled, values}. */
export function kinds(data) {
  const single = (make) => (series, what) =>
    data.people.map((one, index) => ({ name: one.name, colour: one.colour, who: [index], filled: one, values: make(series, index, what) }));
  const root = String(data.skeleton.root);
  const knee = data.skeleton.names.includes("left_knee") ? "left_knee" : undefined;
  const found = {
    speed: { label: "Speed", unit: "m/s", digits: 2, of: "joints", first: root, curves: single((series, index, what) => series.speed(index, Number(what))) },
    angle: { label: "Angle", unit: "°", digits: 0, of: "angles", first: knee, curves: single((series, index, what) => series.angle(index, what)) },
    height: { label: "Height", unit: "m", digits: 2, of: "joints", first: root, curves: single((series, index, what) => series.height(index, Number(what))) },
    distance: { label: "Between people", unit: "m", digits: 2, of: "joints", first: root, curves: pairs },
  };
  if (!angles(data).length) delete found.angle;
  const crowd = data.people.some((one, index) => data.people.some((other, later) => later > index && other.side === one.side));
  if (!crowd) delete found.distance;
  if (data.comparison) {
    const [a, b] = data.comparison.sides;
    const apart = (series) =>
      data.people.flatMap((one, index) => {
        if (one.side || one.partner < 0) return [];
        const colour = MATES[data.people.slice(0, index).filter(({ side, partner }) => !side && partner >= 0).length % MATES.length];
        return [{ name: `${one.name}–${data.people[one.partner].name}`, colour, who: [index, one.partner], filled: one, values: series.apart(index) }];
      });
    return { apart: { label: `${a.letter} to ${b.letter}`, unit: "mm", digits: 0, of: null, curves: apart }, ...found };
  }
  return found;
}

function pairs(series, what) {
  const { people } = series.data;
  const found = [];
  people.forEach((one, a) =>
    people.forEach((other, b) => {
      if (b <= a || one.side !== other.side || found.length >= PAIRS) return;
      const values = series.between(series.path(a, Number(what)), series.path(b, Number(what)));
      found.push({ name: `${one.name}–${other.name}`, colour: one.colour, other: other.colour, who: [a, b], filled: one, values });
    }),
  );
  return found;
}
