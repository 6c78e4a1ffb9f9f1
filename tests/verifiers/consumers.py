"""Judge tokens by the rules of the consumers that the presets are for. Signatures and times are PyJWT's business, which
is Superset's own library; what a consumer checks beyond that is written down here from its sources or documents.

Reads {"consumer", "jwk", "issuer", "audience", "key_id", "tokens": [...]} from stdin and prints one result per token, in
order: {"ok": true, "seen": {...}} with what the consumer would work with, or {"ok": false, "error"}.
"""

import json
import sys
import time

import jwt


class Refused(Exception):
    """The consumer would not take it."""


def need(condition: bool, what: str) -> None:
    if not condition:
        raise Refused(what)


def is_texts(value) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def superset_guest(token: str, job: dict, key: jwt.PyJWK) -> dict:
    """https://github.com/apache/superset/blob/6.1.0/superset/security/manager.py : get_guest_user_from_request,
    parse_jwt_guest_token, get_guest_rls_filters, has_guest_access."""
    claims = jwt.decode(token, key, algorithms=["HS256"], audience=job["audience"])
    for name in ("user", "resources", "rls_rules"):
        need(claims.get(name) is not None, f"no {name}")
    need(claims.get("type") == "guest", "not a guest token")

    def clauses(dataset: int) -> list:
        rules = claims["rls_rules"]
        return [rule["clause"] for rule in rules if not rule.get("dataset") or str(rule["dataset"]) == str(dataset)]

    return {
        "username": claims["user"].get("username", "guest_user"),
        "dashboards": [str(it["id"]) for it in claims["resources"] if it["type"] == "dashboard"],
        "clauses": {"41": clauses(41), "42": clauses(42)},
    }


def metabase(token: str, job: dict, key: jwt.PyJWK) -> dict:
    """https://github.com/metabase/metabase/blob/02207ba7aa05fa258c3b16b9255a43b4ffe8dc2f/src/metabase/embedding/jwt.clj
    and, for parameters, https://www.metabase.com/docs/latest/embedding/guest-embedding . It checks no audience."""
    need(jwt.get_unverified_header(token).get("alg", "none") != "none", "no alg")
    claims = jwt.decode(token, key, algorithms=["HS256"], leeway=60, options={"verify_aud": False, "require": ["exp"]})
    dashboard = claims.get("resource", {}).get("dashboard")
    need(isinstance(dashboard, int) and not isinstance(dashboard, bool), "no dashboard's number")
    locked = claims.get("params", {}).get("tenant_id")
    need(locked is not None, "You must specify a value for :tenant_id in the JWT.")
    need(locked != [], "an empty list, which switches the locked filter off")
    return {"dashboard": dashboard, "tenant_id": locked}


def hasura(token: str, job: dict, key: jwt.PyJWK) -> dict:
    """https://hasura.io/docs/2.0/auth/authentication/jwt/ : the namespace, the two required claims, strings only."""
    claims = jwt.decode(token, key, algorithms=[key.algorithm_name], audience=job["audience"], issuer=job["issuer"])
    session = claims.get("https://hasura.io/jwt/claims")
    need(isinstance(session, dict), "no Hasura claims")
    allowed, default = session.pop("x-hasura-allowed-roles", None), session.get("x-hasura-default-role")
    need(is_texts(allowed), "x-hasura-allowed-roles is a list of strings")
    need(default in allowed, "x-hasura-default-role is one of the allowed")
    for name, value in session.items():
        need(name.lower().startswith("x-hasura-"), f"{name} is not a session variable")
        need(isinstance(value, str), f"{name} is not a string")
    return {"role": default, "allowed": allowed, "variables": session}


def clickhouse(token: str, job: dict, key: jwt.PyJWK) -> dict:
    """https://clickhouse.com/docs/operations/external-authenticators/jwt : required claims, and RSA only with a JWKS."""
    need(jwt.get_unverified_header(token).get("kid") == job["key_id"], "no kid to find the key by")
    required = ["exp", "iat", "iss", "sub", "aud"]
    claims = jwt.decode(
        token, key, algorithms=["RS256"], audience=job["audience"], issuer=job["issuer"], options={"require": required}
    )
    need(is_texts(claims.get("clickhouse:roles")), "clickhouse:roles is a list of strings")
    need(is_texts(claims.get("clickhouse:grants")), "clickhouse:grants is a list of strings")
    return {"user": claims["sub"], "roles": claims["clickhouse:roles"], "grants": claims["clickhouse:grants"]}


def tableau(token: str, job: dict, key: jwt.PyJWK) -> dict:
    """https://help.tableau.com/current/online/en-us/connected_apps_direct.htm#step-3-configure-the-jwt"""
    header = jwt.get_unverified_header(token)
    need(header.get("kid") == job["key_id"], "kid is the secret's id")
    need(header.get("iss") == job["issuer"], "the header's iss is the client's id")
    required = ["iss", "aud", "sub", "exp", "jti"]
    claims = jwt.decode(
        token, key, algorithms=["HS256"], audience="tableau", issuer=job["issuer"], options={"require": required}
    )
    need(claims["exp"] - time.time() <= 600, "10096: valid for more than 10 minutes")
    need(is_texts(claims.get("scp")) and "tableau:views:embed" in claims["scp"], "no scope")
    return {"user": claims["sub"], "tenant_id": claims.get("tenant_id")}


def toucan_embed(token: str, job: dict, key: jwt.PyJWK) -> dict:
    """https://docs-v3.toucantoco.com/visualizations-and-layouts/embedding/authentication"""
    required = ["iss", "aud", "sub", "exp", "jti"]
    claims = jwt.decode(
        token, key, algorithms=["RS512"], audience=job["audience"], issuer=job["issuer"], options={"require": required}
    )
    need(claims["sub"] == "toucan-embed-client", "sub is the client's")
    context = claims.get("embed_context")
    need(isinstance(context, dict) and len(json.dumps(context)) <= 3584, "embed_context has at most 3.5 KB")
    need(isinstance(context.get("username"), str) and isinstance(context.get("workspace_id"), str), "who and where")
    need(is_texts(context.get("roles")) and set(context["roles"]) <= {"ADMIN", "USER"}, "roles are ADMIN or USER")
    need(isinstance(context.get("privileges"), dict) and isinstance(context.get("groups"), list), "what and with whom")
    return {"user": context["username"], "workspace": context["workspace_id"], "attributes": context.get("attributes")}


CONSUMERS = {
    "superset-guest": superset_guest,
    "metabase": metabase,
    "hasura": hasura,
    "clickhouse": clickhouse,
    "tableau": tableau,
    "toucan-embed": toucan_embed,
}


def result(judge, token: str, job: dict, key: jwt.PyJWK) -> dict:
    try:
        return {"ok": True, "seen": judge(token, job, key)}
    except (jwt.PyJWTError, Refused) as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"[:200]}


def main() -> None:
    job = json.load(sys.stdin)
    judge, key = CONSUMERS[job["consumer"]], jwt.PyJWK(job["jwk"])
    json.dump([result(judge, token, job, key) for token in job["tokens"]], sys.stdout)


main()
