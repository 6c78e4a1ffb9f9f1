import type { FieldProblem } from './generated/types.gen.js';
import { retryAfter } from './retry.js';

/** An answer that is an error. Decide by `code`. */
export class JetonProblem extends Error {
  override readonly name = 'JetonProblem';
  /** The HTTP status. */
  readonly status: number;
  /** What happened, as a stable name; see docs/errors.md. From the OAuth operations it is their `error`. */
  readonly code: string;
  /** What happened, for people. */
  readonly detail: string;
  /** What the server's logs call the request. */
  readonly requestId: string | undefined;
  /** What is wrong with the input, each with its place; empty when the problem is not the input. */
  readonly errors: readonly FieldProblem[];
  /** How many seconds the server asks to wait. */
  readonly retryAfter: number | undefined;

  constructor(response: Response, body: unknown) {
    const members = isErrorBody(body) ? body : {};
    const code = members.code ?? members.error ?? 'unexpected_answer';
    const detail = members.detail ?? members.error_description ?? response.statusText;
    super(`${response.status} ${code}: ${detail}`);
    this.status = response.status;
    this.code = code;
    this.detail = detail;
    this.requestId = response.headers.get('x-request-id') ?? undefined;
    this.errors = members.errors ?? [];
    this.retryAfter = retryAfter(response.headers);
  }

  /** May the same request succeed later? */
  get retriable(): boolean {
    return this.status === 429 || this.status >= 500;
  }
}

/** The members of both kinds of error answers, RFC 9457 and RFC 6749. */
interface ErrorBody {
  code?: string;
  detail?: string;
  error?: string;
  error_description?: string;
  errors?: FieldProblem[];
}

/** A proxy on the way may have answered in a form of its own. */
function isErrorBody(body: unknown): body is ErrorBody {
  return typeof body === 'object' && body !== null;
}

/** An interceptor: what an operation throws. Without an answer, the error is that of `fetch`. */
export function problemOf(error: unknown, response: Response | undefined): unknown {
  return response === undefined || response.ok ? error : new JetonProblem(response, error);
}
