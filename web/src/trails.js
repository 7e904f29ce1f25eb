// Where everyone's root went, laid on the floor: a faint line for the whole clip, dots for the last two seconds.
import { BufferGeometry, CircleGeometry, Color, Float32BufferAttribute, Group, InstancedMesh, LineBasicMaterial, LineSegments, Matrix4, MeshBasicMaterial, Quaternion, Vector3 } from "three";
import { faint, rootOf } from "./payload.js";

const SECONDS = 2;
const DOTS = 12;
const STEP = 0.02; // m
const FLAT = new Quaternion().setFromAxisAngle(new Vector3(1, 0, 0), -Math.PI / 2);

export class Trails {
  /** Of those people of `data` whose places are in `members`. */
  constructor(scene, data, members) {
    this.data = data;
    this.members = members;
    this.group = new Group();
    scene.add(this.group);
    this.lines = members.map((member) => {
      const one = data.people[member];
      const points = [];
      let before = null;
      for (let k = 0; k < data.length; k++) {
        const root = rootOf(data, one, k);
        const here = root && data.toScene(...root);
        // Who stands still needs no line: a long clip would have a hundred thousand of them.
        if (here && before && k + 1 < data.length && Math.hypot(here[0] - before[0], here[2] - before[2]) < STEP) continue;
        if (here && before) points.push(before[0], 0.004, before[2], here[0], 0.004, here[2]);
        before = here;
      }
      const geometry = new BufferGeometry();
      geometry.setAttribute("position", new Float32BufferAttribute(points, 3));
      const line = new LineSegments(geometry, new LineBasicMaterial({ color: one.colour, transparent: true, opacity: 0.38 }));
      this.group.add(line);
      return line;
    });
    const count = Math.max(1, members.length) * DOTS;
    this.dots = new InstancedMesh(new CircleGeometry(1, 20), new MeshBasicMaterial({ transparent: true, opacity: 0.75 }), count);
    this.dots.frustumCulled = false;
    this.dots.setColorAt(0, new Color());
    this.dots.count = 0;
    this.group.add(this.dots);
  }

  show(k, chosen) {
    const { data, dots } = this;
    const matrix = new Matrix4();
    const colour = new Color();
    dots.count = 0;
    this.members.forEach((member, index) => {
      const one = data.people[member];
      const back = faint(data, chosen, member);
      this.lines[index].material.opacity = back ? 0.1 : 0.38;
      if (back) return;
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
