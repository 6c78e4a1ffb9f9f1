"""Verify session tokens as a resource server that uses joserfc would. Input and output: see pyjwt.py.

The underscore in the file's name keeps `import joserfc` from finding this file.
"""

import json
import sys
import urllib.request

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

# RFC 9068, section 2.2; issuer and audience are added with their expected values
REQUIRED_CLAIMS = ["exp", "sub", "client_id", "iat", "jti"]


def verify(token: str, keys: KeySet, claims: jwt.JWTClaimsRegistry, algorithm: str) -> dict:
    verified = jwt.decode(token, keys, algorithms=[algorithm])
    # joserfc takes a set's only key for a token that names none.
    if "kid" not in verified.header:
        raise ValueError("no kid")
    if verified.header.get("typ") != "at+jwt":
        raise ValueError("typ is not at+jwt")
    claims.validate(verified.claims)
    return {"ok": True, "header": verified.header, "claims": verified.claims}


def result(*args) -> dict:
    # joserfc lets the ValueError of a decoder through for some malformed tokens. Anything else is a fault of this
    # script and must not pass for a refusal.
    try:
        return verify(*args)
    except (JoseError, ValueError) as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"[:200]}


def main() -> None:
    try:
        job = json.load(sys.stdin)
        with urllib.request.urlopen(job["jwks_url"], timeout=30) as response:
            keys = KeySet.import_key_set(json.load(response))
        claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": job["issuer"]},
            aud={"essential": True, "value": job["audience"]},
            **{name: {"essential": True} for name in REQUIRED_CLAIMS},
        )
        algorithm, tokens = job["algorithm"], job["tokens"]
    except (JoseError, OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"joserfc: {type(error).__name__}: {error}")
    json.dump([result(token, keys, claims, algorithm) for token in tokens], sys.stdout)


main()
