// The 2D skeletons on a canvas that lies on the video.
import { css, inkOn, shade } from "./colour.js";
import { faint } from "./payload.js";

export class Overlay {
  constructor(canvas, data) {
    this.canvas = canvas;
    this.data = data;
    this.visible = true;
    this.shownSides = new Set([0, 1]);
    this.extra = null; // draws upon the skeletons: (context, place of a joint, unit)
    this.sides = data.skeleton.sides;
    this.shades = data.people.map((one) => ({
      left: shade(one.colour, "left"),
      right: shade(one.colour, "right"),
      middle: shade(one.colour, "middle"),
    }));
  }

  /** Size of the picture on screen, CSS pixels. */
  resize(width, height) {
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.unit = ratio; // canvas pixels per CSS pixel
    this.scale = this.canvas.width / this.data.video.width; // canvas pixels per video pixel
  }

  /** Integer coordinates are pixel centres, so a picture begins at -0.5. */
  #point(one, row, joint) {
    const at = (row * this.data.joints + joint) * 2;
    return [(one.xy[at] + 0.5) * this.scale, (one.xy[at + 1] + 0.5) * this.scale];
  }

  draw(k, chosen) {
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.visible || k < 0) return;
    context.lineCap = "round";
    this.data.people.forEach((one, index) => {
      const row = one.row[k];
      if (row >= 0 && this.shownSides.has(one.side)) this.#person(context, one, index, row, faint(this.data, chosen, index) ? 0.2 : 1);
    });
    this.extra?.(context, (person, joint) => {
      const row = this.data.people[person].row[k];
      return row >= 0 ? this.#point(this.data.people[person], row, joint) : null;
    }, this.unit);
  }

  #person(context, one, index, row, strength) {
    const points = Array.from({ length: this.data.joints }, (_, joint) => this.#point(one, row, joint));
    const known = (joint) => !Number.isNaN(points[joint][0]);
    const ys = points.map((point) => point[1]).filter((y) => !Number.isNaN(y));
    if (!ys.length) return;
    const tall = Math.max(...ys) - Math.min(...ys);
    const width = Math.max(1.6 * this.unit, Math.min(6 * this.unit, tall * 0.02));
    const alpha = (joint) => (one.filled[row] ? 0.75 : 0.18 + 0.82 * (one.confidence[row * this.data.joints + joint] || 0));
    const stroke = (pad, paint) => {
      for (const [a, b] of this.data.skeleton.bones) {
        if (!known(a) || !known(b)) continue;
        context.lineWidth = width + pad;
        context.strokeStyle = paint(b, Math.min(alpha(a), alpha(b)) * strength);
        context.beginPath();
        context.moveTo(...points[a]);
        context.lineTo(...points[b]);
        context.stroke();
      }
    };
    context.setLineDash(one.filled[row] ? [width * 1.6, width * 2.4] : []);
    if (!one.filled[row]) stroke(2.2 * this.unit, (_, opacity) => `rgba(0,0,0,${0.5 * opacity})`);
    stroke(0, (joint, opacity) => css(this.shades[index][this.sides[joint]], opacity));
    context.setLineDash([]);
    for (let joint = 0; joint < points.length; joint++) {
      if (!known(joint)) continue;
      context.beginPath();
      context.arc(...points[joint], width * 0.95, 0, 2 * Math.PI);
      context.fillStyle = css(this.shades[index][this.sides[joint]], alpha(joint) * strength);
      context.fill();
      context.lineWidth = Math.max(1, this.unit * 0.8);
      context.strokeStyle = `rgba(0,0,0,${0.45 * alpha(joint) * strength})`;
      context.stroke();
    }
    this.#label(context, one, points, strength);
  }

  #label(context, one, points, strength) {
    const seen = points.filter((point) => !Number.isNaN(point[0]));
    const top = seen.reduce((best, point) => (point[1] < best[1] ? point : best));
    const text = one.name;
    const size = 13 * this.unit;
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const width = context.measureText(text).width + size * 0.9;
    const height = size * 1.45;
    // In the two runs the same head is in the same place.
    const aside = one.partner >= 0 && this.shownSides.size > 1 ? (one.side - 0.5) * (width + 2 * this.unit) : 0;
    const x = Math.max(width / 2, Math.min(this.canvas.width - width / 2, top[0] + aside));
    const y = Math.max(height / 2, top[1] - size * 1.6);
    context.globalAlpha = 0.35 + 0.65 * strength;
    context.fillStyle = one.colour;
    context.beginPath();
    context.roundRect(x - width / 2, y - height / 2, width, height, height / 2);
    context.fill();
    context.fillStyle = inkOn(one.colour);
    context.fillText(text, x, y + size * 0.04);
    context.globalAlpha = 1;
  }

  /** Person and joint under a place given in CSS pixels of the canvas, or null. */
  pick(k, x, y) {
    let best = null;
    let nearest = 16 * this.unit;
    this.data.people.forEach((one, index) => {
      const row = one.row[k] ?? -1;
      for (let joint = 0; row >= 0 && this.shownSides.has(one.side) && joint < this.data.joints; joint++) {
        const [px, py] = this.#point(one, row, joint);
        const distance = Math.hypot(px - x * this.unit, py - y * this.unit);
        if (distance < nearest) {
          nearest = distance;
          best = { person: index, joint };
        }
      }
    });
    return best;
  }
}
