// The 3D scene: floor, camera frustum, orbiting viewpoint. It draws only when something changed.
import {
  AmbientLight,
  BufferGeometry,
  Color,
  DirectionalLight,
  Fog,
  GridHelper,
  HemisphereLight,
  LineBasicMaterial,
  LineSegments,
  Float32BufferAttribute,
  Mesh,
  PCFSoftShadowMap,
  PerspectiveCamera,
  PlaneGeometry,
  Raycaster,
  Scene,
  ShadowMaterial,
  Vector2,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { Bodies } from "./bodies.js";
import { Trails } from "./trails.js";
import { extent } from "./extent.js";
import { faint } from "./payload.js";

const COLOURS = {
  light: { back: "#f1f2f3", grid: "#d3d6da", axis: "#b9bec4", frustum: "#5b6570", shadow: 0.16 },
  dark: { back: "#15181c", grid: "#2a3037", axis: "#3a424b", frustum: "#9aa5b1", shadow: 0.45 },
};

export class Stage {
  constructor(canvas, labels, data, calm) {
    this.data = data;
    this.calm = calm;
    this.extent = extent(data);
    this.renderer = new WebGLRenderer({ canvas, antialias: true });
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = PCFSoftShadowMap;
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(38, 1, 0.05, 400);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enableDamping = !calm;
    this.controls.dampingFactor = 0.12;
    this.controls.maxPolarAngle = Math.PI * 0.495;
    this.controls.maxDistance = this.extent.radius * 14;
    this.controls.minDistance = 0.4;
    this.controls.addEventListener("change", () => this.invalidate());
    this.onViewLeft = () => {};
    this.controls.addEventListener("start", () => {
      this.flight = null;
      this.upright.visible = true;
      this.onViewLeft();
    });
    this.#light();
    this.#frustum();
    const places = data.people.map((_, index) => index);
    this.sides = (data.comparison ? [0, 1] : [0]).map((side) => {
      const members = places.filter((index) => data.people[index].side === side);
      return { bodies: new Bodies(this.scene, data, members), trails: new Trails(this.scene, data, members) };
    });
    this.panes = [this.sides.map((_, side) => side)]; // what sides each part of the picture shows
    this.measure = this.#ruler();
    this.labels = data.people.map((one) => {
      const label = document.createElement("span");
      label.textContent = one.name;
      label.style.setProperty("--colour", one.colour);
      labels.append(label);
      return label;
    });
    this.k = 0;
    this.chosen = null;
    this.view("free", true);
  }

  #light() {
    const { centre, radius } = this.extent;
    this.scene.add(new AmbientLight("#ffffff", 0.55), new HemisphereLight("#ffffff", "#8a8f98", 1.5));
    const sun = new DirectionalLight("#ffffff", 1.9);
    const size = radius * 1.6 + 1.5;
    sun.position.set(centre.x + size * 0.35, size * 1.6, centre.z + size * 0.6);
    sun.target.position.set(centre.x, 0, centre.z);
    sun.castShadow = true;
    sun.shadow.mapSize.set(1024, 1024);
    sun.shadow.radius = 4;
    sun.shadow.bias = -0.002;
    Object.assign(sun.shadow.camera, { left: -size, right: size, top: size, bottom: -size, near: 0.1, far: size * 5 });
    this.scene.add(sun, sun.target);
    const cells = Math.max(8, Math.min(60, Math.ceil(radius * 2.6))) & ~1;
    this.grid = new GridHelper(cells, cells);
    this.grid.position.set(Math.round(centre.x), 0, Math.round(centre.z));
    this.ground = new Mesh(new PlaneGeometry(cells, cells), new ShadowMaterial());
    this.ground.rotation.x = -Math.PI / 2;
    this.ground.position.set(this.grid.position.x, -0.003, this.grid.position.z);
    this.ground.receiveShadow = true;
    this.scene.add(this.grid, this.ground);
  }

  /** The camera as a pyramid whose base is the image at 0.6 m, with a tick on its upper edge. */
  #frustum() {
    const { focal, centre } = this.data.camera;
    const { width, height } = this.data.video;
    const depth = 0.6;
    const corner = (u, v) => this.data.toScene(((u - centre[0]) / focal[0]) * depth, ((v - centre[1]) / focal[1]) * depth, depth);
    const eye = this.data.toScene(0, 0, 0);
    const [a, b, c, d] = [corner(0, 0), corner(width, 0), corner(width, height), corner(0, height)];
    const tick = [corner(width * 0.4, -height * 0.04), corner(width * 0.5, -height * 0.16), corner(width * 0.6, -height * 0.04)];
    const material = new LineBasicMaterial();
    const lines = (points) => {
      const geometry = new BufferGeometry();
      geometry.setAttribute("position", new Float32BufferAttribute(points.flat(), 3));
      return new LineSegments(geometry, material);
    };
    this.frustum = lines([eye, a, eye, b, eye, c, eye, d, a, b, b, c, c, d, d, a]);
    this.upright = lines([tick[0], tick[1], tick[1], tick[2], tick[2], tick[0]]);
    this.eye = new Vector3(...eye);
    this.scene.add(this.frustum, this.upright);
  }

  theme(name) {
    const colours = COLOURS[name];
    this.scene.background = new Color(colours.back);
    this.scene.fog = new Fog(colours.back, this.extent.radius * 4 + 6, this.extent.radius * 9 + 24);
    const paint = this.grid.geometry.attributes.color;
    const cell = new Color(colours.grid);
    const axis = new Color(colours.axis);
    for (let i = 0; i < paint.count; i++) {
      const metre = Math.floor(i / 4); // GridHelper writes two lines of two points for each step
      const hue = metre % 5 === 0 ? axis : cell;
      paint.setXYZ(i, hue.r, hue.g, hue.b);
    }
    paint.needsUpdate = true;
    this.frustum.material.color.set(colours.frustum);
    this.ground.material.opacity = colours.shadow;
    this.invalidate();
  }

  resize(width, height) {
    this.width = width;
    this.height = height;
    this.renderer.setPixelRatio(Math.min(2, window.devicePixelRatio || 1));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = this.paneWidth / height;
    this.camera.updateProjectionMatrix();
    if (this.viewName) this.view(this.viewName, true);
    this.invalidate();
  }

  show(k, chosen) {
    this.k = k;
    this.chosen = chosen;
    for (const { bodies, trails } of this.sides) {
      bodies.show(k, chosen);
      trails.show(k, chosen);
    }
    this.#stretch();
    this.invalidate();
  }

  get paneWidth() {
    return this.width / this.panes.length;
  }

  /** Splits the picture: one list of sides a part, left to right; all parts share the viewpoint. */
  layout(panes) {
    this.panes = panes;
    if (this.width) this.resize(this.width, this.height);
  }

  /** A line between two joints, drawn over everything. */
  #ruler() {
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", new Float32BufferAttribute(new Float32Array(6), 3));
    const line = new LineSegments(geometry, new LineBasicMaterial({ color: "#e0007a", depthTest: false, transparent: true }));
    line.frustumCulled = false;
    line.renderOrder = 9;
    line.visible = false;
    this.scene.add(line);
    return { line, ends: null };
  }

  /** Draws the measured line between two {person, joint}, or none. */
  rule(ends) {
    this.measure.ends = ends;
    this.#stretch();
    this.invalidate();
  }

  #stretch() {
    const { line, ends } = this.measure;
    const points = ends?.map(({ person, joint }) => this.pointOf(person, joint)) ?? [null];
    line.visible = points.every(Boolean);
    if (!line.visible) return;
    line.geometry.attributes.position.array.set(points.flat());
    line.geometry.attributes.position.needsUpdate = true;
  }

  /** A joint in the scene's coordinates at the frame on show, or null. */
  pointOf(person, joint) {
    const one = this.data.people[person];
    const row = one.row[this.k] ?? -1;
    const at = (row * this.data.joints + joint) * 3;
    return row < 0 || Number.isNaN(one.xyz[at]) ? null : this.data.toScene(one.xyz[at], one.xyz[at + 1], one.xyz[at + 2]);
  }

  /** Moves to a named viewpoint: free, camera, side, top. */
  view(name, now = false) {
    const { centre, radius } = this.extent;
    const target = centre.clone();
    const half = (this.camera.fov * Math.PI) / 360;
    const narrow = Math.min(1, this.camera.aspect);
    const away = ((radius + 0.35) / Math.sin(half) / narrow) * 0.78;
    const forward = centre.clone().sub(this.eye).setY(0);
    if (forward.lengthSq() < 1e-6) forward.set(0, 0, -1);
    forward.normalize();
    const right = new Vector3(-forward.z, 0, forward.x);
    // The overview takes in the video camera too, as long as that does not make the people small.
    const back = Math.min(centre.clone().sub(this.eye).setY(0).length() * 0.4, radius * 1.3);
    const wide = 0.84 * away * Math.max(1, (back + radius * 0.9) / (radius + 0.35));
    const position = {
      free: () => {
        target.addScaledVector(forward, -back).setY(1.15);
        return target.clone().addScaledVector(forward, -0.55 * wide).addScaledVector(right, 0.72 * wide).setY(target.y + 0.42 * wide);
      },
      side: () => target.clone().addScaledVector(right, away).setY(target.y + 0.06 * away),
      top: () => target.clone().addScaledVector(forward, -0.02 * away).setY(target.y + away),
      camera: () => this.eye.clone(),
    }[name]();
    if (name === "camera") target.copy(this.#ahead());
    this.viewName = name;
    this.upright.visible = name !== "camera";
    const fov = name === "camera" ? this.#ownFov() : 38;
    this.flight = { from: this.camera.position.clone(), to: position, gaze: this.controls.target.clone(), target, fov0: this.camera.fov, fov, start: performance.now() };
    if (now || this.calm) this.#fly(Infinity);
    this.invalidate();
  }

  #ahead() {
    const depth = Math.max(1, this.extent.centre.distanceTo(this.eye));
    return new Vector3(...this.data.toScene(0, 0, depth));
  }

  /** Vertical field of view that shows all of the image in this room's shape. */
  #ownFov() {
    const { focal } = this.data.camera;
    const { width, height } = this.data.video;
    const half = Math.max(height / 2 / focal[1], width / 2 / focal[0] / this.camera.aspect);
    return (2 * Math.atan(half) * 180) / Math.PI;
  }

  #fly(now) {
    const { from, to, gaze, target, fov0, fov, start } = this.flight;
    const t = Math.min(1, Math.max(0, (now - start) / 600));
    const eased = t * t * (3 - 2 * t);
    this.camera.position.lerpVectors(from, to, eased);
    this.controls.target.lerpVectors(gaze, target, eased);
    this.camera.fov = fov0 + (fov - fov0) * eased;
    this.camera.updateProjectionMatrix();
    this.controls.update();
    if (t === 1) this.flight = null;
  }

  invalidate() {
    this.pending ??= requestAnimationFrame((now) => {
      this.pending = null;
      this.#render(now);
    });
  }

  #render(now) {
    if (!this.width) return;
    if (this.flight) {
      this.#fly(now);
      this.invalidate();
    } else {
      this.controls.update();
    }
    const wide = this.paneWidth;
    this.renderer.setScissorTest(this.panes.length > 1);
    this.panes.forEach((shown, place) => {
      this.sides.forEach(({ bodies, trails }, side) => (bodies.group.visible = trails.group.visible = shown.includes(side)));
      this.renderer.setViewport(place * wide, 0, wide, this.height);
      this.renderer.setScissor(place * wide, 0, wide, this.height);
      this.renderer.render(this.scene, this.camera);
    });
    this.#place();
  }

  #place() {
    const at = new Vector3();
    this.labels.forEach((label, index) => {
      const side = this.data.people[index].side;
      const top = this.sides[side].bodies.tops[index];
      const pane = this.panes.findIndex((shown) => shown.includes(side));
      label.hidden = !top || pane < 0;
      if (label.hidden) return;
      at.copy(top).project(this.camera);
      label.hidden = at.z > 1 || (this.panes.length > 1 && Math.abs(at.x) > 0.97);
      label.classList.toggle("faint", faint(this.data, this.chosen, index));
      // In the two runs the same head is in the same place.
      const aside = this.data.people[index].partner >= 0 && this.panes[pane].length > 1 ? ["-102%", "2%"][side] : "-50%";
      label.style.transform = `translate(${((pane + (at.x + 1) / 2) * this.paneWidth).toFixed(1)}px, ${(((1 - at.y) / 2) * this.height).toFixed(1)}px) translate(${aside}, -100%)`;
    });
  }

  /** Person and joint under a place in CSS pixels of the canvas, or null. */
  pick(x, y) {
    const wide = this.paneWidth;
    const pane = Math.max(0, Math.min(this.panes.length - 1, Math.floor(x / wide)));
    const ray = new Raycaster();
    ray.setFromCamera(new Vector2(((x - pane * wide) / wide) * 2 - 1, 1 - (y / this.height) * 2), this.camera);
    const hits = this.panes[pane].map((side) => this.sides[side].bodies.pick(ray)).filter(Boolean);
    return hits.sort((a, b) => a.distance - b.distance)[0] ?? null;
  }

  /** Where a point of the scene is on the canvas, in CSS pixels of a part of the picture, or null behind the viewer. */
  onCanvas(point, pane = 0) {
    const at = new Vector3(...point).project(this.camera);
    return at.z > 1 ? null : [(pane + (at.x + 1) / 2) * this.paneWidth, ((1 - at.y) / 2) * this.height];
  }

  /** Person and joint nearest to a place in CSS pixels, within a finger's width, or null. */
  nearest(x, y) {
    const pane = Math.max(0, Math.min(this.panes.length - 1, Math.floor(x / this.paneWidth)));
    let best = null;
    let least = 18;
    this.data.people.forEach((one, person) => {
      if (!this.panes[pane].includes(one.side)) return;
      for (let joint = 0; joint < this.data.joints; joint++) {
        const point = this.pointOf(person, joint);
        const at = point && this.onCanvas(point, pane);
        const off = at ? Math.hypot(at[0] - x, at[1] - y) : Infinity;
        if (off < least) [least, best] = [off, { person, joint }];
      }
    });
    return best;
  }

  /** For tests: where the viewer's eye is. */
  viewpoint() {
    return this.camera.position.toArray();
  }
}
