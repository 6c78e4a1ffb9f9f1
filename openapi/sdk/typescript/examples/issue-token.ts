// Issues a session token for a user, twice, and asks the server once.
//
//   JETON_URL=http://127.0.0.1:8080 JETON_API_KEY=jtn_… node issue-token.js
import { Jeton, JetonProblem, TokenCache } from 'jeton-client';

const { JETON_URL: url = 'http://127.0.0.1:8080', JETON_API_KEY: apiKey = '' } = process.env;
const tokens = new TokenCache(new Jeton({ url, apiKey }));
const request = { user: { id: 'user-42', roles: ['viewer'], attributes: { tenant_id: 't-1' } } };

try {
  const session = await tokens.token(request);
  const again = await tokens.token(request);
  console.log(session.token);
  console.error(`for ${session.expires_in} s; the next one after ${session.refresh_in} s`);
  process.exitCode = again.token === session.token ? 0 : 1;
} catch (error) {
  if (!(error instanceof JetonProblem)) {
    throw error;
  }
  console.error(error.message);
  for (const { pointer, detail } of error.errors) {
    console.error(`${pointer}: ${detail}`);
  }
  process.exitCode = 1;
}
