// Where everyone's root went, laid on the floor: a faint line for the whole clip, dots for the last two seconds.
import { BufferGeometry, CircleGeometry, Color, Float32BufferAttribute, InstancedMesh, LineBasicMaterial, LineSegments, Matrix4, MeshBasicMaterial, Quaternion, Vector3 } from "three";
import { rootOf } from "./payload.js";

const SECONDS = 2;
const DOTS = 12;
const FLAT = new Quaternion().setFromAxisAngle(new Vector3(1, 0, 0), -Math.PI / 2);

export class Trails {
  constructor(scene, data) {
    this.data = data;
    this.lines = data.people.map((one) => {
      const points = [];
      let before = null;
      for (let k = 0; k < data.length; k++) {
        const root = rootOf(data, one, k);
        const here = root && data.toScene(...root);
        if (here && before) points.push(before[0], 0.004, before[2], here[0], 0.004, here[2]);
        before = here;
      }
      const geometry = new BufferGeometry();
      geometry.setAttribute("position", new Float32BufferAttribute(points, 3));
      const line = new LineSegments(geometry, new LineBasicMaterial({ color: one.colour, transparent: true, opacity: 0.38 }));
      scene.add(line);
      return line;
    });
    const count = Math.max(1, data.people.length) * DOTS;
    this.dots = new InstancedMesh(new CircleGeometry(1, 20), new MeshBasicMaterial({ transparent: true, opacity: 0.75 }), count);
    this.dots.frustumCulled = false;
    this.dots.setColorAt(0, new Color());
    this.dots.count = 0;
    scene.add(this.dots);
  }

  show(k, chosen) {
    const { data, dots } = this;
    const matrix = new Matrix4();
    const colour = new Color();
    dots.count = 0;
    data.people.forEach((one, index) => {
      const faint = chosen !== null && chosen !== index;
      this.lines[index].material.opacity = faint ? 0.1 : 0.38;
      if (faint) return;
      colour.set(one.colour);
      let next = Infinity;
      for (let i = k, n = 0; i >= 0 && n < DOTS && data.times[k] - data.times[i] <= SECONDS; i--) {
        if (data.times[i] > next) continue;
        next = data.times[i] - SECONDS / DOTS + 1e-6;
        const root = rootOf(data, one, i);
        n++;
        if (!root) continue;
        const [x, , z] = data.toScene(...root);
        const radius = 0.06 * (1 - 0.75 * ((data.times[k] - data.times[i]) / SECONDS)) * (i === k ? 1.5 : 1);
        matrix.compose(new Vector3(x, 0.008, z), FLAT, new Vector3(radius, radius, 1));
        dots.setMatrixAt(dots.count, matrix);
        dots.setColorAt(dots.count++, colour);
      }
    });
    dots.instanceMatrix.needsUpdate = true;
    dots.instanceColor.needsUpdate = true;
  }
}
