/**
 * A client of a Jeton server: the generated operations and types, and around them what every program needs:
 * authentication, retries, typed problems and a cache of session tokens.
 *
 * @module
 */
export { Jeton, type JetonOptions } from './jeton.js';
export { JetonProblem } from './problem.js';
export { type Retry, defaultRetry } from './retry.js';
export { TokenCache, type TokenCacheOptions } from './tokens.js';
export type * from './generated/types.gen.js';
