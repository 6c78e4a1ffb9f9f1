import type { IssueSessionTokenRequest, SessionToken } from './generated/types.gen.js';
import type { Jeton } from './jeton.js';
import { JetonProblem } from './problem.js';

export interface TokenCacheOptions {
  /** How many tokens are kept at most; 10,000 unless given. */
  capacity?: number;
  /** Tells the time, in milliseconds. */
  now?: () => number;
}

interface Held {
  session: SessionToken;
  refreshAt: number;
  expiresAt: number;
}

/**
 * Hands out session tokens: the same one for equal requests, until it is time for the next. However many ask at once,
 * the server is asked once.
 */
export class TokenCache {
  readonly #jeton: Jeton;
  readonly #capacity: number;
  readonly #now: () => number;
  readonly #held = new Map<string, Held>();
  readonly #flights = new Map<string, Promise<SessionToken>>();

  constructor(jeton: Jeton, options: TokenCacheOptions = {}) {
    this.#jeton = jeton;
    this.#capacity = Math.max(options.capacity ?? 10_000, 1);
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * A token for the request that still holds for some time. A new one is issued when the server's `refresh_in` is over,
   * ahead of the old one's end. When the server cannot be reached for that, or not answer, the old one is given as long
   * as it holds; a refusal is thrown at once, and the old one is forgotten.
   */
  async token(request: IssueSessionTokenRequest): Promise<SessionToken> {
    const key = keyOf(request);
    const held = this.#held.get(key);
    if (held && this.#now() < held.refreshAt) {
      return held.session;
    }
    let flight = this.#flights.get(key);
    if (!flight) {
      flight = this.#fetch(key, request).finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
    }
    try {
      return await flight;
    } catch (error) {
      if (held && isTransient(error) && this.#now() < held.expiresAt) {
        return held.session;
      }
      throw error;
    }
  }

  /** Drops the token of a request, for example when its consumer refuses it. */
  forget(request: IssueSessionTokenRequest): void {
    this.#held.delete(keyOf(request));
  }

  async #fetch(key: string, request: IssueSessionTokenRequest): Promise<SessionToken> {
    // From before the request: rather too early than too late.
    const asked = this.#now();
    let session: SessionToken;
    try {
      session = await this.#jeton.issueSessionToken({ body: request });
    } catch (error) {
      if (!isTransient(error)) {
        this.#held.delete(key);
      }
      throw error;
    }
    this.#held.delete(key);
    this.#makeRoom();
    this.#held.set(key, {
      session,
      refreshAt: asked + session.refresh_in * 1000,
      expiresAt: asked + session.expires_in * 1000,
    });
    return session;
  }

  /** First those that ended go, then the oldest. */
  #makeRoom(): void {
    if (this.#held.size < this.#capacity) {
      return;
    }
    const now = this.#now();
    for (const [key, { expiresAt }] of this.#held) {
      if (expiresAt <= now) {
        this.#held.delete(key);
      }
    }
    for (const key of this.#held.keys()) {
      if (this.#held.size < this.#capacity) {
        return;
      }
      this.#held.delete(key);
    }
  }
}

/** The same for equal requests, in whatever order their members are. */
function keyOf(request: IssueSessionTokenRequest): string {
  return JSON.stringify(request, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** These say nothing about the request: the server was not reached, or could not answer. */
function isTransient(error: unknown): boolean {
  return !(error instanceof JetonProblem) || error.retriable;
}
