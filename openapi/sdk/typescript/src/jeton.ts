import { createClient, createConfig, type Client } from './generated/client/index.js';
import { Operations } from './generated/sdk.gen.js';
import { problemOf } from './problem.js';
import { defaultRetry, retrying, type Retry } from './retry.js';

export interface JetonOptions {
  /** The server's address. */
  url: string;
  /** The API key, `jtn_…`. It does not belong into a page. */
  apiKey: string;
  /** How often and when requests are sent again. */
  retry?: Partial<Retry>;
  /** How long one attempt may take, in milliseconds; 30 seconds unless given. */
  timeout?: number;
  /** What sends single requests; the global `fetch` unless given. */
  fetch?: typeof fetch;
}

/** The operations of the API. They give the answer's value, and throw a `JetonProblem` for every error answer. */
export class Jeton extends Operations {
  constructor(options: JetonOptions) {
    super({ client: clientOf(options) });
  }
}

function clientOf(options: JetonOptions): Client {
  if (!options.apiKey) {
    throw new TypeError('the API key is empty');
  }
  const send = options.fetch ?? fetch;
  const timeout = options.timeout ?? 30_000;
  const attempt: typeof fetch = (input, init) => {
    const request = new Request(input, init);
    const signal = AbortSignal.timeout(timeout);
    return send(request, { signal: any([request.signal, signal]) });
  };
  const client = createClient(
    createConfig({
      baseUrl: options.url,
      // Each operation says what it takes: an API key, a session token of the caller's, or nothing.
      auth: ({ name }) => (name === 'x-api-key' ? options.apiKey : undefined),
      fetch: retrying(attempt, { ...defaultRetry, ...options.retry }),
      // The API redirects nowhere, and the key is for this server alone.
      redirect: 'error',
      throwOnError: true,
    }),
  );
  client.interceptors.error.use(problemOf);
  return client;
}

/** `AbortSignal.any`, which Node 18 does not have. */
function any(signals: AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) {
      controller.abort(signal.reason);
    }
    signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
  }
  return controller.signal;
}
