"""Makes a private key of each algorithm with joserfc and cryptography: one JSON object, `{alg: {pem, jwk, thumbprint}}`."""

import json

from cryptography.hazmat.primitives import serialization
from joserfc.jwk import ECKey, OKPKey, RSAKey

made = {
    "ES256": ECKey.generate_key("P-256"),
    "EdDSA": OKPKey.generate_key("Ed25519"),
    "RS256": RSAKey.generate_key(2048),
    "PS256": RSAKey.generate_key(3072),
    "ES384": ECKey.generate_key("P-384"),
}
print(
    json.dumps(
        {
            alg: {
                "pem": key.private_key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ).decode(),
                "jwk": key.as_dict(private=True),
                "thumbprint": key.thumbprint(),
            }
            for alg, key in made.items()
        }
    )
)
