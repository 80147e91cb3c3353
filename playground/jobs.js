/** Long computations in small parts, so that the page stays responsive. */

/** Milliseconds of work at a time: with what a pointer event itself does, less than 8. */
const SLICE = 3;

/** Runs one generator function at a time; a new one stops the one before. */
export class Job {
  constructor() {
    this.timer = 0;
  }

  /** Run `work()`, a generator: each `yield` is a place where the page may draw. */
  start(work) {
    this.stop();
    const parts = work();
    const go = () => {
      const end = performance.now() + SLICE;
      while (performance.now() < end) {
        if (parts.next().done) {
          this.timer = 0;
          return;
        }
      }
      this.timer = setTimeout(go);
    };
    this.timer = setTimeout(go);
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
  }

  get isRunning() {
    return this.timer !== 0;
  }
}
