/**
 * How often and when a request is sent again that was answered with 429 or 503: nothing was done then, so this is safe
 * for every operation. Before each further attempt it waits as long as `Retry-After` says, and on top of that a random
 * time, so that clients that were refused together do not come back together. Times are in milliseconds.
 */
export interface Retry {
  /** How often a request is sent at most; 1 for no retries. */
  attempts: number;
  /** The upper end of the first random time. It doubles with each attempt. */
  base: number;
  /** The longest wait. When the server asks for more, its answer is handed on at once. */
  maxWait: number;
  /** Waits. */
  sleep: (milliseconds: number) => Promise<void>;
}

/** Four attempts, none after more than 30 seconds. */
export const defaultRetry: Retry = {
  attempts: 4,
  base: 250,
  maxWait: 30_000,
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

/** Another `fetch`, with retries. */
export function retrying(send: typeof fetch, retry: Retry): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    for (let attempt = 1; ; attempt += 1) {
      // A request's body can be read once.
      const response = await send(request.clone());
      const wait = waitAfter(attempt, response, retry);
      if (wait === undefined) {
        return response;
      }
      await response.body?.cancel();
      await retry.sleep(wait);
      request.signal.throwIfAborted();
    }
  };
}

/** How long to wait after the attempt of this number, counted from 1; nothing to leave it at that. */
function waitAfter(attempt: number, response: Response, retry: Retry): number | undefined {
  const asked = (retryAfter(response.headers) ?? 0) * 1000;
  const retriable = response.status === 429 || response.status === 503;
  if (!retriable || attempt >= retry.attempts || asked > retry.maxWait) {
    return undefined;
  }
  const jitter = Math.random() * Math.min(retry.base * 2 ** (attempt - 1), retry.maxWait);
  return Math.min(asked + jitter, retry.maxWait);
}

/** The seconds that the header asks for, which has them or a date. */
export function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('Retry-After') ?? '';
  if (/^[0-9]+$/.test(text)) {
    return Number(text);
  }
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max((date - Date.now()) / 1000, 0);
}
