"""Decrypt JWEs with joserfc: reads {"jwk": private JWK, "tokens": [...]} from stdin, prints what is inside each."""

import json
import sys

from joserfc import jwe
from joserfc.jwk import ECKey

job = json.load(sys.stdin)
key = ECKey.import_key(job["jwk"])


def opened(token: str) -> dict:
    result = jwe.decrypt_compact(token, key, algorithms=["ECDH-ES", "A256GCM"])
    return {"header": result.protected, "inside": result.plaintext.decode()}


json.dump([opened(token) for token in job["tokens"]], sys.stdout)
