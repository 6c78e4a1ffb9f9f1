"""What holds for every answer beyond schemathesis' own checks."""

import json
import re
import unicodedata

import schemathesis
from schemathesis.core.parameters import ParameterLocation

#: Codes for what the document can say about a request, and so has to: a request that it calls valid is not refused for
#: these.
FORM = {
    "ambiguous_credential",
    "body_incomplete",
    "body_not_empty",
    "duplicate_json_key",
    "invalid_batch",
    "invalid_checks",
    "invalid_cursor",
    "invalid_email",
    "invalid_field",
    "invalid_filter",
    "invalid_grace",
    "invalid_json",
    "invalid_limit",
    "invalid_max_key_lifetime",
    "invalid_name",
    "invalid_query",
    "invalid_rate_limit",
    "invalid_reason",
    "invalid_resource",
    "invalid_role",
    "invalid_state",
    "invalid_subject",
    "invalid_table",
    "invalid_time",
    "invalid_utf8",
    "missing_field",
    "password_length",
    "roles_empty",
    "too_many_resources",
    "too_many_roles",
    "unknown_field",
    "unknown_permission",
    "unsupported_media_type",
}


def body_of(response):
    if "json" not in response.headers.get("content-type", [""])[0]:
        return None
    try:
        return response.json()
    except ValueError:
        return None


def is_probe(case):
    """A request with a method that the operation does not have."""
    return case.method.upper() != case.operation.method.upper()


@schemathesis.check
def refusals_of_valid_requests_are_about_meaning(ctx, response, case):
    """The document's bounds, patterns and formats are those that the server enforces."""
    meta = case.meta
    if meta is None or is_probe(case) or response.status_code not in (400, 422):
        return
    if any(component.mode.is_negative for component in meta.components.values()):
        return
    problem = body_of(response) or {}
    codes = {error["code"]: error for error in problem.get("errors", [])} or {problem.get("code"): problem}
    for code, error in codes.items():
        if code in FORM and not is_beyond_schemas(code, error, case):
            raise AssertionError(f"a valid request is refused: {json.dumps(problem)}")


def is_beyond_schemas(code, error, case):
    """Rules about form that JSON Schema has no word for, or that would make generated clients unreadable."""
    pointer, detail = error.get("pointer", ""), error.get("detail", "")
    if "is reserved" in detail:
        # Names of claims are no names of attributes.
        return True
    if "a condition has" in detail or "conditions" in detail:
        # A condition is a group or a test.
        return True
    if pointer in ("/token", "/table") and code == "missing_field":
        # One of `token` and `claims`; a `schema` only with its `table`.
        return True
    if pointer.startswith("/authorization_details"):
        # A text for HTTP, and JSON for who reads it.
        return True
    if "/format" in pointer or "/registered" in pointer:
        # A public key is a point of its curve, and each form has its own members and no others.
        return True
    # Texts are bounded in bytes, or have something that can be seen.
    return code in ("invalid_subject", "invalid_resource", "invalid_filter", "invalid_email") and any(
        len(text.encode("utf-8", "replace")) > 255 or is_invisible(text) for text in texts(case.body, case.query)
    )


def texts(*values):
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from texts(*value.values())
        elif isinstance(value, list):
            yield from texts(*value)


def is_invisible(text):
    return all(it.isspace() or unicodedata.category(it) in ("Cf", "Mn", "Lo") for it in text)


@schemathesis.check
def refusals_are_in_the_results_of_a_batch(ctx, response, case):
    """A batch with an invalid request is answered with the others' results, and that request's problem."""
    meta = case.meta
    if meta is None or case.path != "/v1/session-tokens/batch" or response.status_code != 200:
        return
    if meta.is_negative_at(ParameterLocation.BODY):
        results = response.json()["results"]
        if not any("problem" in result for result in results):
            raise AssertionError("an invalid request of a batch was granted")


@schemathesis.check
def revocations_are_a_signed_token(ctx, response, case):
    """In place of the schema, which says no more than that it is a text."""
    if case.path.endswith("/revocations") and response.status_code == 200:
        if not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", response.text):
            raise AssertionError("this is no compact JWS")


@schemathesis.check
def codes_are_documented(ctx, response, case):
    """The document has an example of each code that an answer can carry."""
    if is_probe(case) or response.headers.get("content-type") != ["application/problem+json"]:
        return
    answer = case.operation.responses.find_by_status_code(response.status_code)
    if answer is None:
        return
    codes = answer.definition["content"]["application/problem+json"]["examples"]
    code = response.json()["code"]
    if code not in codes:
        raise AssertionError(f"{response.status_code} `{code}` is not among {sorted(codes)}")


@schemathesis.check
def problems_are_whole(ctx, response, case):
    """A problem names its request and repeats its status; nothing of an error is kept."""
    request_id = response.headers.get("x-request-id", [""])[0]
    if not request_id:
        raise AssertionError("there is no x-request-id")
    if response.status_code < 400:
        return
    if response.headers.get("cache-control") != ["no-store"]:
        raise AssertionError("an error may be kept")
    if response.headers.get("content-type") != ["application/problem+json"]:
        if not case.path.startswith("/oauth2/"):
            raise AssertionError("this is no problem")
        return
    problem = response.json()
    expected = (response.status_code, request_id, f"urn:jeton:problem:{problem['code']}")
    if (problem["status"], problem["request_id"], problem["type"]) != expected:
        raise AssertionError(f"the problem is not that of its answer: {json.dumps(problem)}")
