"""Verify session tokens as a resource server that uses PyJWT would.

Reads {"jwks_url", "issuer", "audience", "algorithm", "tokens": [...]} from stdin and prints one result per token, in order:
{"ok": true, "header", "claims"} or {"ok": false, "error"}. Exits 1 when it could not judge the tokens at all.
"""

import json
import sys

import jwt

# RFC 9068, section 2.2
REQUIRED_CLAIMS = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]


def verify(token: str, keys: jwt.PyJWKClient, issuer: str, audience: str, algorithm: str) -> dict:
    key = keys.get_signing_key(jwt.get_unverified_header(token).get("kid"))
    verified = jwt.decode_complete(
        token,
        key,
        algorithms=[algorithm],
        audience=audience,
        issuer=issuer,
        options={"require": REQUIRED_CLAIMS},
    )
    if verified["header"].get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("typ is not at+jwt")
    return {"ok": True, "header": verified["header"], "claims": verified["payload"]}


def result(*args) -> dict:
    # PyJWT lets the ValueError of a decoder through for some malformed tokens. Anything else is a fault of this script
    # and must not pass for a refusal.
    try:
        return verify(*args)
    except (jwt.PyJWTError, ValueError) as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"[:200]}


def main() -> None:
    try:
        job = json.load(sys.stdin)
        # One fetch per run: an unknown `kid` may not trigger another within the cool-down.
        keys = jwt.PyJWKClient(job["jwks_url"], lifespan=3600, cooldown_duration=3600)
        keys.get_signing_keys()
        rules, tokens = (job["issuer"], job["audience"], job["algorithm"]), job["tokens"]
    except (jwt.PyJWTError, ValueError, KeyError) as error:
        sys.exit(f"pyjwt: {type(error).__name__}: {error}")
    json.dump([result(token, keys, *rules) for token in tokens], sys.stdout)


main()
