//! The signature vectors of the RFCs, through the code that tokens go through. They are good signatures, and no session
//! tokens.

use crate::algorithm::Algorithm;
use crate::jws::{Jws, decode};
use crate::keys::Key;
use crate::{MAX_TOKEN_BYTES, Verifier, VerifyError};

use super::support::{NOW, encode, rules};

/// RFC 7515 appendix A.2: the modulus.
const RFC_7515_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt\
     0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX\
     ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5\
     IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
/// RFC 7515 appendix A: the payload of A.1 to A.3.
const RFC_7515_PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0\
     cnVlfQ";
/// RFC 7515 appendix A.1: the secret.
const RFC_7515_K: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const RFC_7515_A_1: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const RFC_7515_A_2: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W\
     2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkS\
     jtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv\
     Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const RFC_7515_A_3: &str =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 7520 section 3.3: the modulus.
const RFC_7520_N: &str = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_\
     AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpP\
     e7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg\
     _3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw";
/// RFC 7520 section 4: the payload.
const RFC_7520_PAYLOAD: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAg\
     b250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dp\
     bmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";
/// RFC 7520 section 4.1.2: the header.
const RFC_7520_RS256: &str =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9";
const RFC_7520_4_1: &str = "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83\
     xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJ\
     Dt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12\
     podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg";
/// RFC 7520 section 4.2.2: the header.
const RFC_7520_PS384: &str =
    "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9";
const RFC_7520_4_2: &str = "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6\
     O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqi\
     VJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_\
     jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw";
/// RFC 8037 appendix A.4, whole.
const RFC_8037_A_4: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09P\
     GcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

struct Vector {
    name: &'static str,
    algorithm: Algorithm,
    key: fn() -> Key,
    jws: String,
    payload: &'static [u8],
}

const JOE: &[u8] =
    b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

fn rsa(algorithm: Algorithm, n: &str) -> Key {
    Key::rsa(algorithm, &decode(n).unwrap(), &[1, 0, 1]).unwrap()
}

fn p256() -> Key {
    let x = decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU").unwrap();
    let y = decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0").unwrap();
    Key::es256(&x, &y).unwrap()
}

fn ed25519() -> Key {
    Key::ed25519(&decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap()).unwrap()
}

fn vectors() -> Vec<Vector> {
    let joe = |header: &str, signature: &str| {
        format!("{}.{RFC_7515_PAYLOAD}.{signature}", encode(header))
    };
    vec![
        Vector {
            name: "RFC 7515 A.1",
            algorithm: Algorithm::Hs256,
            key: || Key::hs256(&decode(RFC_7515_K).unwrap()).unwrap(),
            jws: joe("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", RFC_7515_A_1),
            payload: JOE,
        },
        Vector {
            name: "RFC 7515 A.2",
            algorithm: Algorithm::Rs256,
            key: || rsa(Algorithm::Rs256, RFC_7515_N),
            jws: joe(r#"{"alg":"RS256"}"#, RFC_7515_A_2),
            payload: JOE,
        },
        Vector {
            name: "RFC 7515 A.3",
            algorithm: Algorithm::Es256,
            key: p256,
            jws: joe(r#"{"alg":"ES256"}"#, RFC_7515_A_3),
            payload: JOE,
        },
        Vector {
            name: "RFC 7520 4.1",
            algorithm: Algorithm::Rs256,
            key: || rsa(Algorithm::Rs256, RFC_7520_N),
            jws: format!("{RFC_7520_RS256}.{RFC_7520_PAYLOAD}.{RFC_7520_4_1}"),
            payload: "It\u{2019}s a dangerous business, Frodo, going out your door. You step onto the road, and \
                      if you don't keep your feet, there\u{2019}s no knowing where you might be swept off to."
                .as_bytes(),
        },
        Vector {
            name: "RFC 8037 A.4",
            algorithm: Algorithm::EdDsa,
            key: ed25519,
            jws: RFC_8037_A_4.to_owned(),
            payload: b"Example of Ed25519 signing",
        },
    ]
}

#[test]
fn the_signatures_are_accepted_and_those_of_altered_messages_are_not() {
    for vector in vectors() {
        let key = (vector.key)();
        let jws = Jws::split(&vector.jws, MAX_TOKEN_BYTES).unwrap();
        assert_eq!(
            jws.verified_payload(&key),
            Some(vector.payload),
            "{}",
            vector.name
        );
        let altered = vector.jws.replacen("ey", "fy", 1);
        let jws = Jws::split(&altered, MAX_TOKEN_BYTES).unwrap();
        assert_eq!(jws.verified_payload(&key), None, "{}", vector.name);
        let (message, signature) = vector.jws.rsplit_once('.').unwrap();
        let mut signature = decode(signature).unwrap();
        signature[20] ^= 1;
        let altered = format!("{message}.{}", encode(signature));
        let jws = Jws::split(&altered, MAX_TOKEN_BYTES).unwrap();
        assert_eq!(jws.verified_payload(&key), None, "{}", vector.name);
    }
}

/// PS384 is not offered. Its vector is a good signature, by a key that PS256 and RS256 would take.
#[test]
fn the_signature_of_an_algorithm_that_is_not_offered_is_refused() {
    let text = format!("{RFC_7520_PS384}.{RFC_7520_PAYLOAD}.{RFC_7520_4_2}");
    let jws = Jws::split(&text, MAX_TOKEN_BYTES).unwrap();
    for algorithm in [Algorithm::Ps256, Algorithm::Rs256] {
        assert_eq!(jws.verified_payload(&rsa(algorithm, RFC_7520_N)), None);
    }
}

#[test]
fn none_of_them_is_a_session_token() {
    for vector in vectors() {
        let verifier = match vector.algorithm {
            Algorithm::Hs256 => {
                let secret = decode(RFC_7515_K).unwrap();
                Verifier::from_secrets(rules(), [("k1", secret)]).unwrap()
            }
            algorithm => {
                let signer = super::support::Signer::new(algorithm, "k1");
                super::support::verifier_of(&signer)
            }
        };
        let result = verifier.verify(&vector.jws, NOW);
        assert_eq!(result, Err(VerifyError::Malformed), "{}", vector.name);
    }
}
