// Where the people are over the whole clip: middle and radius that a view should frame, deaf to outliers.
import { Vector3 } from "three";
import { rootOf } from "./payload.js";

function middle(values, low, high) {
  values.sort((a, b) => a - b);
  const at = (share) => values[Math.min(values.length - 1, Math.floor(share * values.length))];
  return [at(low), at(high)];
}

export function extent(data) {
  const xs = [];
  const zs = [];
  const stride = Math.max(1, Math.floor(data.length / 400));
  for (const one of data.people) {
    for (let k = 0; k < data.length; k += stride) {
      const root = rootOf(data, one, k);
      if (!root) continue;
      const [x, , z] = data.toScene(...root);
      xs.push(x);
      zs.push(z);
    }
  }
  if (!xs.length) {
    const [x, , z] = data.toScene(0, 0, 3);
    return { centre: new Vector3(x, 0.9, z), radius: 2 };
  }
  const [left, right] = middle(xs, 0.04, 0.96);
  const [far, near] = middle(zs, 0.04, 0.96);
  const radius = Math.max(1.25, Math.hypot(right - left, near - far) / 2 + 0.75);
  return { centre: new Vector3((left + right) / 2, 0.9, (far + near) / 2), radius: Math.min(60, radius) };
}
