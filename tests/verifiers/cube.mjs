// Judge tokens as Cube Core does: its default checkAuth is jsonwebtoken's `verify` with these four options, and all
// claims become the security context, which must be an object.
// https://github.com/cube-js/cube/blob/master/packages/cubejs-api-gateway/src/gateway.ts (createDefaultCheckAuth)
// Input and output: see consumers.py.

import { json } from "node:stream/consumers";
import { createPublicKey } from "node:crypto";
import jwt from "jsonwebtoken";

const job = await json(process.stdin);
const key = createPublicKey({ key: job.jwk, format: "jwk" });

function checkAuth(token) {
  try {
    const securityContext = jwt.verify(token, key, {
      algorithms: ["RS256"],
      issuer: job.issuer,
      audience: job.audience,
      subject: undefined,
    });
    if (typeof securityContext !== "object") throw new jwt.JsonWebTokenError("not an object");
    return { ok: true, seen: securityContext };
  } catch (error) {
    if (!(error instanceof jwt.JsonWebTokenError)) throw error;
    return { ok: false, error: `${error.name}: ${error.message}`.slice(0, 200) };
  }
}

process.stdout.write(JSON.stringify(job.tokens.map(checkAuth)));
