"""Schemathesis' hooks: what makes requests meaningful, and what answers must be beyond its own checks."""

import json
import os
import random

import checks  # noqa: F401: they register themselves
import schemathesis
from hypothesis import strategies
from installation import ORIGIN, Installation
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

installation = Installation(os.environ["JETON_FUZZ_URL"], os.environ["JETON_FUZZ_MASTER_KEY"])
dice = random.Random(8259)

#: What is in the path of these operations, and whether they leave it as it was.
TARGETS = {
    "getApiKey": ("api_key", True),
    "getApiKeyUsage": ("api_key", True),
    "updateApiKey": ("api_key", False),
    "deleteApiKey": ("api_key", False),
    "rotateApiKey": ("api_key", True),
    "disableApiKey": ("api_key", True),
    "enableApiKey": ("api_key", True),
    "revokeApiKey": ("api_key", False),
    "getUser": ("user", True),
    "updateUser": ("user", True),
    "deleteUser": ("user", False),
    "getServiceAccount": ("service_account", True),
    "updateServiceAccount": ("service_account", True),
    "deleteServiceAccount": ("service_account", False),
    "getSession": ("session", True),
    "deleteSession": ("session", False),
    "getRole": ("role", True),
    "replaceRole": ("role", True),
    "deleteRole": ("role", False),
    "getAttribute": ("attribute", True),
    "replaceAttribute": ("attribute", True),
    "deleteAttribute": ("attribute", False),
    "getAudience": ("audience", True),
    "updateAudience": ("audience", True),
    "deleteAudience": ("audience", False),
    "listSigningKeys": ("audience", True),
    "rotateSigningKey": ("shared_audience", True),
    "importSigningKey": ("shared_audience", True),
    "retireSigningKey": ("audience", True),
}
#: What the run itself stands on, and so no request may take away.
PROTECTED = {
    installation.account["api_key"]["id"],
    installation.account["owner"]["id"],
    installation.default_audience,
    *os.environ.get("JETON_FUZZ_PROTECTED", "").split(),
}
ISSUING = {
    "issueSessionToken",
    "issueSessionTokenBatch",
    "generateEmbedToken",
    "exchangeToken",
    "renewSessionToken",
    "getSession",
    "deleteSession",
}
CHANGES_POLICY = {
    "replacePolicy",
    *(f"{verb}{noun}" for verb in ("create", "replace", "delete") for noun in ("Role", "Attribute")),
}
USER = "urn:jeton:params:oauth:token-type:user"
DETAILS = {"type": "jeton_session", "roles": ["viewer"], "attributes": {"tenant_id": "t-1"}}

# Values of formats that no registry has.
schemathesis.openapi.format("cidr", strategies.ip_addresses().map(lambda it: f"{it}/{it.max_prefixlen}"))
schemathesis.openapi.format(
    "origin",
    strategies.from_regex(r"https://[a-z]{1,9}\.example(:[1-9][0-9]{3})?", fullmatch=True),
)


class State:
    policy_changed = False
    cursors = {}


def operation_id(case):
    return case.operation.definition.raw["operationId"]


def is_positive(case, location=None):
    """Is this part, or all of the request, as the document wants it?"""
    meta = case.meta
    if location is not None:
        return meta is None or not meta.is_negative_at(location)
    return meta is not None and all(not it.mode.is_negative for it in meta.components.values())


def usually():
    """So that requests about what there is not are made, too."""
    return dice.random() < 0.8


@schemathesis.auth(refresh_interval=None).apply_to(path="/v1/session-tokens/renew", method="POST")
class HeldToken:
    """A token is renewed once, so each request has its own."""

    def get(self, case, context):
        return installation.issue()["token"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(ctx, case, kwargs):
    operation = operation_id(case)
    if State.policy_changed and operation in ISSUING:
        installation.restore_policy()
        State.policy_changed = False
    linked = case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
    if is_positive(case, ParameterLocation.PATH):
        aim(operation, case, linked)
    if is_positive(case, ParameterLocation.QUERY) and "cursor" in (case.query or {}):
        follow(operation, case)
    if is_positive(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        case.body = written_plainly(case.body)
        if case.path.startswith("/oauth2/"):
            case.body = {name: it for name, it in case.body.items() if isinstance(it, str)}
        if not linked:
            fill_in(operation, case)
    if operation == "renewSessionToken" and is_positive(case, ParameterLocation.HEADER) and usually():
        case.headers["Origin"] = ORIGIN


def written_plainly(value):
    """JSON Schema takes 900.0 for an integer; here, whole numbers have no fraction."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: written_plainly(it) for name, it in value.items()}
    if isinstance(value, list):
        return [written_plainly(it) for it in value]
    return value


def aim(operation, case, linked):
    """Puts something that exists into the path."""
    path = case.path_parameters
    if "slug" in path and usually():
        path["slug"] = installation.account["organization"]["slug"]
        if "id" in path:
            path["id"] = installation.default_audience
    if operation not in TARGETS:
        return
    kind, stays = TARGETS[operation]
    name = "name" if "name" in path else "id"
    if path.get(name) in PROTECTED or not linked and usually():
        path[name] = installation.one(kind) if stays else installation.fresh(kind)
    if "kid" in path and usually():
        path["kid"] = installation.signing_key(path["id"])
    if operation in ("replaceRole", "replaceAttribute") and isinstance(case.body, dict):
        if is_positive(case, ParameterLocation.BODY):
            case.body["name"] = path["name"]


def follow(operation, case):
    """A cursor is one that the list gave."""
    if operation in State.cursors and usually():
        case.query["cursor"] = State.cursors[operation]
    else:
        del case.query["cursor"]


def fill_in(operation, case):
    """Names what is declared, where the request has a place for it."""
    body = case.body
    if operation == "issueSessionToken" and usually():
        name_declared(body)
    elif operation == "issueSessionTokenBatch" and usually():
        for request in body["requests"]:
            name_declared(request)
    elif operation == "generateEmbedToken" and usually():
        body["user"].update(role="viewer", attributes={"tenant_id": "t-1"})
    elif operation == "exchangeToken" and usually():
        body.update(subject_token_type=USER, authorization_details=json.dumps([DETAILS]))
        body.pop("scope", None)
        body.pop("audience", None)
    elif operation in ("introspectToken", "revokeToken") and usually():
        body["token"] = installation.issue()["token"]
    elif operation == "reportLeakedApiKey" and usually():
        body["api_key"] = installation.new_whole_key()["secret"]
    elif operation == "createAttribute" and usually():
        for member in ("requires", "from_role", "allowed_values", "pattern", "normalize"):
            body.pop(member, None)
    elif operation == "createApiKey" and "owner_id" in body and usually():
        body["owner_id"] = installation.one("service_account")


def name_declared(request):
    request["user"].update(roles=["viewer"], attributes={"tenant_id": "t-1"})
    for member in ("audience", "ttl_seconds"):
        request.pop(member, None)


@schemathesis.hook
def after_call(ctx, case, response):
    operation = operation_id(case)
    if response.status_code == 404 and operation in TARGETS:
        kind, _ = TARGETS[operation]
        installation.gone(kind, case.path_parameters.get("id", case.path_parameters.get("name")))
    if not 200 <= response.status_code < 300 or case.method.upper() != case.operation.method.upper():
        return
    if operation in CHANGES_POLICY:
        State.policy_changed = True
    elif operation == "updateOrganization":
        installation.lift_key_lifetime()
    elif operation.startswith("list"):
        cursor = response.json().get("next_cursor")
        if cursor is not None:
            State.cursors[operation] = cursor
