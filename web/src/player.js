// One clock for everything. Frame k of the timeline is at `times[k] - times[0]` in the embedded video.
// `wanted` is where the user is; `shown` is the frame that the video really shows, and what the overlay draws.

/** Last index whose time is not after t (times ascending), at least 0. */
export function indexAt(times, t) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= t) low = middle;
    else high = middle - 1;
  }
  return low;
}

export class Player extends EventTarget {
  #video;
  #pts;
  #target = -1; // frame of the seek under way, -1 when none
  #waiting = [];
  #started = null; // wall time and media time at which the clock without video started

  constructor(times) {
    super();
    const first = times.length ? times[0] : 0;
    this.#pts = times.map((time) => time - first);
    this.wanted = 0;
    this.shown = -1;
    this.playing = false;
    this.loop = true;
    this.speed = 1;
    this.length = times.length;
  }

  get duration() {
    return this.length ? this.#pts[this.length - 1] : 0;
  }

  timeOf(k) {
    return this.#pts[k] ?? 0;
  }

  at(seconds) {
    return this.length ? indexAt(this.#pts, seconds) : 0;
  }

  /** Uses this video from now on; null means the skeletons play alone. */
  attach(video) {
    this.#video = video;
    if (!video) {
      this.#target = -1;
      this.seek(this.wanted);
      if (this.playing) this.#started = null;
      return;
    }
    video.addEventListener("seeked", () => this.#seeked());
    video.addEventListener("ended", () => this.#ended());
    const tick = (now, meta) => {
      if (this.#video !== video) return;
      if (this.playing && this.#target < 0) this.#show(this.at((meta ? meta.mediaTime : video.currentTime) + 5e-4));
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(tick);
      else requestAnimationFrame(() => tick());
    };
    tick(0, { mediaTime: 0 });
  }

  /** Goes to frame k; resolves with the frame once it is on screen. Seeks that overtake each other are merged. */
  seek(k) {
    this.wanted = Math.max(0, Math.min(this.length - 1, Math.round(k) || 0));
    this.#started = null;
    this.#tell("wanted");
    if (!this.#video) {
      this.#show(this.wanted);
      return Promise.resolve(this.shown);
    }
    const done = new Promise((resolve) => this.#waiting.push(resolve));
    if (this.#target < 0) this.#go();
    return done;
  }

  #go() {
    const k = this.wanted;
    this.#target = k;
    // The exact time of a frame may round to the one before it; a millisecond later never does.
    const next = k + 1 < this.length ? this.#pts[k + 1] : this.#pts[k] + 0.01;
    this.#video.currentTime = this.#pts[k] + Math.min(0.001, (next - this.#pts[k]) / 2);
  }

  #seeked() {
    if (this.#target < 0) return;
    const k = this.#target;
    this.#target = -1;
    this.#show(k);
    if (k !== this.wanted) return this.#go();
    for (const resolve of this.#waiting.splice(0)) resolve(k);
    if (this.playing && this.#video.paused) this.#run();
  }

  #ended() {
    if (!this.playing) return;
    if (this.loop) {
      this.seek(0);
    } else {
      this.playing = false;
      this.#tell("playing");
      this.seek(this.length - 1);
    }
  }

  #show(k) {
    if (this.playing && this.#target < 0) this.wanted = k;
    if (k === this.shown) return;
    this.shown = k;
    this.#tell("shown");
  }

  play() {
    if (this.playing || this.length < 2) return;
    this.playing = true;
    this.#tell("playing");
    if (this.wanted >= this.length - 1) this.seek(0);
    if (this.#video) {
      if (this.#target < 0) this.#run();
    } else {
      requestAnimationFrame((now) => this.#tick(now));
    }
  }

  #run() {
    this.#video.playbackRate = this.speed;
    this.#video.play().catch(() => this.pause());
  }

  /** Stops; resolves with the frame that is then on screen. */
  pause() {
    if (!this.playing) return Promise.resolve(this.shown);
    this.playing = false;
    this.#tell("playing");
    if (!this.#video) return Promise.resolve(this.shown);
    this.#video.pause();
    return this.seek(this.shown); // the video may have moved on since its last frame was announced
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  step(n) {
    this.pause();
    return this.seek(this.wanted + n);
  }

  setSpeed(speed) {
    this.speed = speed;
    this.#started = null;
    if (this.#video) this.#video.playbackRate = speed;
  }

  #tick(now) {
    if (!this.playing || this.#video) return;
    this.#started ??= { now, at: this.timeOf(this.wanted) };
    const t = this.#started.at + ((now - this.#started.now) / 1000) * this.speed;
    if (t > this.duration) {
      if (!this.loop) {
        this.#show(this.length - 1);
        return this.pause();
      }
      this.#started = { now, at: 0 };
      this.#show(0);
    } else {
      this.#show(this.at(t));
    }
    requestAnimationFrame((later) => this.#tick(later));
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}
