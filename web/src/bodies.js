// Everyone's body in one frame: a capsule for each bone and a ball for each joint, all in four instanced meshes.
// Detected bodies are solid, filled ones and those that are not chosen are ghosts.
import { Color, CylinderGeometry, Group, InstancedMesh, Matrix4, MeshStandardMaterial, Quaternion, SphereGeometry, Vector3 } from "three";
import { shade } from "./colour.js";
import { faint } from "./payload.js";

const UP = new Vector3(0, 1, 0);

/** Radius in metres of what a joint name stands for: a torso is thicker than a wrist. */
function girth(name) {
  if (/pelvis|spine|neck$|hip/.test(name)) return 0.05;
  if (/shoulder|knee/.test(name)) return 0.043;
  if (/eye|ear|mouth|pinky|thumb|index|heel|toe|foot/.test(name)) return 0.016;
  if (/wrist|ankle/.test(name)) return 0.032;
  return 0.038;
}

export class Bodies {
  /** Of those people of `data` whose places are in `members`. */
  constructor(scene, data, members) {
    this.data = data;
    this.members = members;
    this.group = new Group();
    scene.add(this.group);
    const { names, bones } = data.skeleton;
    this.girths = names.map(girth);
    // Where a skeleton knows the top of the head, its parent lies inside the head: one ellipsoid takes in both.
    this.crown = names.indexOf("head_top");
    this.head = this.crown < 0 ? -1 : (bones.find(([, child]) => child === this.crown)?.[0] ?? -1);
    if (names[this.head] === "neck") this.head = -1;
    const people = Math.max(1, members.length);
    const meshes = (geometry, count) =>
      [1, 0.4].map((opacity) => {
        const material = new MeshStandardMaterial({ roughness: 0.62, metalness: 0, transparent: opacity < 1, opacity, depthWrite: opacity === 1 });
        const mesh = new InstancedMesh(geometry, material, count * people);
        mesh.frustumCulled = false;
        mesh.castShadow = opacity === 1;
        mesh.count = 0;
        mesh.setColorAt(0, new Color());
        this.group.add(mesh);
        return mesh;
      });
    this.limbs = meshes(new CylinderGeometry(1, 1, 1, 14, 1, true), bones.length || 1);
    this.balls = meshes(new SphereGeometry(1, 18, 12), names.length);
    this.tops = data.people.map(() => null);
    this.colours = data.people.map((one) =>
      data.skeleton.sides.map((side) => new Color(...shade(one.colour, side).map((value) => value / 255)).convertSRGBToLinear()),
    );
    this.owners = [[], []]; // of each ball: person and joint
  }

  show(k, chosen) {
    for (const mesh of [...this.limbs, ...this.balls]) mesh.count = 0;
    this.owners = [[], []];
    this.members.forEach((index) => {
      const one = this.data.people[index];
      const row = one.row[k] ?? -1;
      this.tops[index] = null;
      if (row < 0) return;
      const ghost = one.filled[row] || faint(this.data, chosen, index) ? 1 : 0;
      this.#person(one, index, row, ghost);
    });
    for (const mesh of [...this.limbs, ...this.balls]) {
      mesh.instanceMatrix.needsUpdate = true;
      mesh.instanceColor.needsUpdate = true;
      mesh.boundingSphere = null; // computed again when a pick needs it
    }
  }

  #person(one, index, row, ghost) {
    const { joints, toScene, skeleton } = this.data;
    const points = [];
    for (let joint = 0; joint < joints; joint++) {
      const at = (row * joints + joint) * 3;
      points.push(Number.isNaN(one.xyz[at]) ? null : new Vector3(...toScene(one.xyz[at], one.xyz[at + 1], one.xyz[at + 2])));
    }
    const matrix = new Matrix4();
    const turn = new Quaternion();
    const direction = new Vector3();
    const put = (mesh, colour) => {
      mesh.setMatrixAt(mesh.count, matrix);
      mesh.setColorAt(mesh.count, colour);
      mesh.count++;
    };
    points.forEach((point, joint) => {
      if (!point) return;
      const radius = this.girths[joint];
      if (joint === this.head && points[this.crown]) {
        direction.subVectors(points[this.crown], point);
        const half = direction.length() / 2;
        turn.setFromUnitVectors(UP, direction.clone().normalize());
        matrix.compose(point.clone().addScaledVector(direction, 0.5), turn, new Vector3(0.085, half + 0.045, 0.085));
      } else {
        matrix.compose(point, turn.identity(), new Vector3(radius, radius, radius));
      }
      put(this.balls[ghost], this.colours[index][joint]);
      this.owners[ghost].push({ person: index, joint });
      if (!this.tops[index] || point.y > this.tops[index].y) this.tops[index] = point.clone();
    });
    if (this.tops[index]) this.tops[index].y += 0.16;
    for (const [a, b] of skeleton.bones) {
      if (!points[a] || !points[b]) continue;
      direction.subVectors(points[b], points[a]);
      const length = direction.length();
      if (length < 1e-4) continue;
      turn.setFromUnitVectors(UP, direction.divideScalar(length));
      const radius = Math.min(this.girths[a], this.girths[b]) * 0.82;
      matrix.compose(points[a].clone().add(points[b]).multiplyScalar(0.5), turn, new Vector3(radius, length, radius));
      put(this.limbs[ghost], this.colours[index][b]);
    }
  }

  pick(ray) {
    const hits = this.balls.flatMap((mesh, ghost) => ray.intersectObject(mesh).map((hit) => ({ ...this.owners[ghost][hit.instanceId], distance: hit.distance })));
    return hits.sort((a, b) => a.distance - b.distance)[0] ?? null;
  }
}
