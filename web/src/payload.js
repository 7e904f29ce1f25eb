// The run's numbers, from the compact integers in the page to typed arrays. Units: pixels, metres, seconds, 0..1.

const TYPES = { i2: [Int16Array, -32768], i4: [Int32Array, -2147483648] };

function bytes(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const out = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) out[i] = binary.charCodeAt(i);
  return out;
}

/** Packed whole numbers (packing.py), to a Float32Array in which NaN is what was missing. */
function floats(packed, unit) {
  const [Whole, missing] = TYPES[packed.type];
  const whole = new Whole(bytes(packed.data).buffer);
  const out = new Float32Array(whole.length);
  for (let i = 0; i < whole.length; i++) out[i] = whole[i] === missing ? NaN : whole[i] * unit;
  return out;
}

/** One person: `row[k]` is the row at timeline position k, or -1; row r of joint j is at index r * joints + j. */
function person(raw, length) {
  const row = new Int32Array(length).fill(-1);
  const filled = [];
  for (const [start, count, isFilled] of raw.runs) {
    for (let i = 0; i < count; i++) {
      row[start + i] = filled.length;
      filled.push(Boolean(isFilled));
    }
  }
  return {
    ...raw,
    colour: raw.colour,
    row,
    filled,
    xy: floats(raw.xy, 0.1),
    confidence: floats(raw.confidence, 0.01),
    xyz: floats(raw.xyz, 0.001),
    sigma: floats(raw.sigma, 0.001),
    agreement: raw.agreement ? floats(raw.agreement, 0.01) : null,
    apart: raw.apart ? floats(raw.apart, 0.001) : null,
    flags: floats(raw.flags, 1),
  };
}

/** Whether a person stands back because another was chosen; partners of two runs are chosen together. */
export function faint(data, chosen, index) {
  return chosen !== null && chosen !== index && data.people[index].partner !== chosen;
}

/** What a person is called in a lane or a read-out. */
export function nameOf(data, one) {
  return data.comparison ? `${data.comparison.sides[one.side].letter} · Person ${one.id}` : `Person ${one.id}`;
}

/** How far flow and pose agree in a row: mean over joints, and the joint that agrees least; null where nothing tells. */
export function agreementOf(data, one, row) {
  if (!one.agreement) return null;
  let sum = 0;
  let count = 0;
  let least = -1;
  for (let joint = 0; joint < data.joints; joint++) {
    const value = one.agreement[row * data.joints + joint];
    if (Number.isNaN(value)) continue;
    sum += value;
    count += 1;
    if (least < 0 || value < one.agreement[row * data.joints + least]) least = joint;
  }
  return count ? { mean: sum / count, joint: least, least: one.agreement[row * data.joints + least] } : null;
}

/** What is doubtful about a row, in words. */
export function doubts(data, one, row) {
  const flags = one.flags[row] ?? 0;
  return Object.entries(data.flags ?? {})
    .filter(([bit]) => flags & Number(bit))
    .map(([, meaning]) => meaning);
}

/** Camera coordinates (x right, y down, z forward) to the scene's (y up, floor at zero, camera looking along -z). */
function placement(ground) {
  const up = ground.up;
  // the camera's forward axis laid onto the floor; a camera that looks straight down has none, so its image-up serves
  const axis = Math.abs(up[2]) < 0.99 ? [0, 0, 1] : [0, -1, 0];
  const along = axis[0] * up[0] + axis[1] * up[1] + axis[2] * up[2];
  const z = axis.map((value, i) => -(value - along * up[i]));
  const size = Math.hypot(...z);
  for (let i = 0; i < 3; i++) z[i] /= size;
  const x = [up[1] * z[2] - up[2] * z[1], up[2] * z[0] - up[0] * z[2], up[0] * z[1] - up[1] * z[0]];
  return (px, py, pz) => [
    x[0] * px + x[1] * py + x[2] * pz,
    up[0] * px + up[1] * py + up[2] * pz + ground.offset,
    z[0] * px + z[1] * py + z[2] * pz,
  ];
}

export function readPayload(text) {
  const raw = JSON.parse(text);
  const times = Float64Array.from(raw.times);
  return {
    ...raw,
    times,
    length: times.length,
    joints: raw.skeleton.names.length,
    people: raw.people.map((one) => person(one, times.length)),
    toScene: placement(raw.ground),
  };
}

/** Root of a person at a timeline position, in camera coordinates, or null. */
export function rootOf(data, one, k) {
  const row = one.row[k];
  if (row < 0) return null;
  const at = (row * data.joints + data.skeleton.root) * 3;
  const root = [one.xyz[at], one.xyz[at + 1], one.xyz[at + 2]];
  return root.some(Number.isNaN) ? null : root;
}
