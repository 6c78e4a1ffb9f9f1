// A browser page for scripts under test: its clocks, timers, events and network are the test's to move.

import vm from "node:vm";

/** Lets everything run that waits for nothing but promises. */
export async function settle() {
  for (let round = 0; round < 5; round++) await new Promise((resolve) => setImmediate(resolve));
}

/** An event target that, like a browser's, reports what its listeners throw and goes on. */
function targetClass(reported) {
  return class Target {
    listeners = [];

    addEventListener(type, listener) {
      this.removeEventListener(type, listener);
      this.listeners.push({ type, listener });
    }

    removeEventListener(type, listener) {
      this.listeners = this.listeners.filter((it) => it.type !== type || it.listener !== listener);
    }

    dispatchEvent(event) {
      for (const it of this.listeners.filter(({ type }) => type === event.type)) {
        if (!this.listeners.includes(it)) continue;
        try {
          it.listener(event);
        } catch (error) {
          reported.push(error);
        }
      }
    }
  };
}

class CustomEvent {
  constructor(type, { detail } = {}) {
    this.type = type;
    this.detail = detail ?? null;
  }
}

/** An answer as `fetch` gives it. */
export function answer(status, body, headers = {}) {
  return {
    ok: status >= 200 && status < 300,
    status,
    headers: { get: (name) => headers[name.toLowerCase()] ?? null },
    json: async () => {
      if (body === undefined) throw new SyntaxError("no JSON");
      return structuredClone(body);
    },
  };
}

export class FakeBrowser {
  /** What listeners threw. */
  reported = [];
  /** Every request: `{ url, init, at }`, `at` in milliseconds since the start. */
  requests = [];
  /** Answers requests; may throw, or return a promise that never ends. */
  network = () => {
    throw new TypeError("Failed to fetch");
  };
  /** What `Math.random` gives. */
  random = () => 0.5;
  #timers = new Map();
  #lastTimer = 0;
  /** Real time since the start; the time that timers know, which stands still in sleep; what the clocks show. */
  now = 0;
  #awake = 0;
  #wall = 1_700_000_000_000;
  #mono = 12_345.5;

  constructor({ origin = "https://host.test" } = {}) {
    this.Target = targetClass(this.reported);
    this.window = new this.Target();
    this.document = new this.Target();
    this.customElements = new FakeCustomElements();
    const browser = this;
    const globals = {
      window: this.window,
      document: this.document,
      location: new URL(`${origin}/page`),
      customElements: this.customElements,
      CustomEvent,
      EventTarget: this.Target,
      AbortController,
      URL,
      performance: { now: () => browser.#mono },
      fetch: (url, init) => browser.#fetch(url, init),
      setTimeout: (callback, delay) => browser.#setTimeout(callback, delay),
      clearTimeout: (timer) => browser.#timers.delete(timer),
    };
    this.context = vm.createContext(globals);
    this.given = Object.keys(globals);
    this.context.browserClock = () => this.#wall;
    this.context.browserRandom = () => this.random();
    vm.runInContext("Date.now = browserClock; Math.random = browserRandom;", this.context);
    delete this.context.browserClock;
    delete this.context.browserRandom;
  }

  /** Runs a classic script, as loaded from this address. */
  load(source, address) {
    this.document.currentScript = address ? { src: address } : null;
    vm.runInContext(source, this.context);
    this.document.currentScript = null;
    return this.window.jeton;
  }

  get pendingTimers() {
    return this.#timers.size;
  }

  get listenerCount() {
    return this.window.listeners.length + this.document.listeners.length;
  }

  /** Time goes by, and timers fire when they are due. */
  async advance(ms) {
    await settle();
    const end = this.#awake + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, it]) => it.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#pass(Math.max(due[1].at - this.#awake, 0));
      this.#timers.delete(due[0]);
      due[1].callback();
      await settle();
    }
    this.#pass(end - this.#awake);
  }

  /** The machine sleeps: no timer runs. Some browsers' `performance.now()` stops as well. */
  sleep(ms, { monotonicStops = false } = {}) {
    this.now += ms;
    this.#wall += ms;
    if (!monotonicStops) this.#mono += ms;
  }

  /** Somebody sets the clock. */
  setClock(by) {
    this.#wall += by;
  }

  /** An event of the window or, for `visibilitychange`, of the document. */
  async fire(type, more = {}) {
    const target = type === "visibilitychange" ? this.document : this.window;
    target.dispatchEvent({ type, ...more });
    await settle();
  }

  #pass(ms) {
    this.now += ms;
    this.#awake += ms;
    this.#wall += ms;
    this.#mono += ms;
  }

  #setTimeout(callback, delay) {
    if (!Number.isFinite(delay) || delay < 0 || delay > 0x7fffffff) throw new RangeError(`a delay of ${delay}`);
    // As in browsers: whole milliseconds, rounded down, and some time passes in any case.
    const wait = Math.max(Math.trunc(delay), 1);
    this.#timers.set(++this.#lastTimer, { callback, at: this.#awake + wait });
    return this.#lastTimer;
  }

  #fetch(url, init) {
    const request = { url, init, at: this.now };
    this.requests.push(request);
    return new Promise((resolve, reject) => {
      init.signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      Promise.resolve()
        .then(() => this.network(request))
        .then(resolve, reject);
    });
  }
}

class FakeCustomElements {
  #defined = new Set();
  #waiting = [];

  get(name) {
    return this.#defined.has(name) ? class {} : undefined;
  }

  whenDefined(name) {
    if (this.#defined.has(name)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ name, resolve }));
  }

  define(name) {
    this.#defined.add(name);
    for (const it of this.#waiting) if (it.name === name) it.resolve();
  }
}
