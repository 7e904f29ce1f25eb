// Shades of a person's colour: a body's left half is lighter and its right half darker, in 2D and in 3D alike.
const SIDES = { left: [255, 0.42], right: [0, 0.32], middle: [0, 0] };

export function channels(hex) {
  const value = parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

export function shade(hex, side) {
  const [goal, share] = SIDES[side];
  return channels(hex).map((value) => Math.round(value + (goal - value) * share));
}

export function css([r, g, b], alpha = 1) {
  return `rgba(${r},${g},${b},${alpha})`;
}

/** Black or white, whichever reads better on the colour. */
export function inkOn(hex) {
  const [r, g, b] = channels(hex);
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#111" : "#fff";
}
