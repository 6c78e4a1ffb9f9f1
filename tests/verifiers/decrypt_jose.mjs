// Decrypt JWEs with jose: input and output as in decrypt_joserfc.py.

import { json } from "node:stream/consumers";
import { compactDecrypt, importJWK } from "jose";

const job = await json(process.stdin);
const key = await importJWK(job.jwk, "ECDH-ES");
const options = { keyManagementAlgorithms: ["ECDH-ES"], contentEncryptionAlgorithms: ["A256GCM"] };

async function opened(token) {
  const { plaintext, protectedHeader } = await compactDecrypt(token, key, options);
  return { header: protectedHeader, inside: new TextDecoder().decode(plaintext) };
}

process.stdout.write(JSON.stringify(await Promise.all(job.tokens.map(opened))));
