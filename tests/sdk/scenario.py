"""What every client is put through: see tests/e2e/sdk.rs."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jeton
from jeton.api.account import get_account
from jeton.api.api_keys import create_api_key
from jeton.api.o_auth import introspect_token
from jeton.api.policy import create_attribute, create_role
from jeton.api.session_tokens import issue_session_token
from jeton.api.sessions import delete_session, list_sessions
from jeton.models import (
    Attribute,
    CreateApiKeyRequest,
    GivenPermission,
    IntrospectTokenRequest,
    IssueSessionTokenRequest,
    KeyRateLimit,
    Role,
    RolePermission,
    TokenUser,
    TokenUserAttributes,
    ValueType,
)

URL = os.environ["JETON_URL"]
NO_RETRIES = jeton.Retry(attempts=1)


def request_for(user: str, **attributes: str) -> IssueSessionTokenRequest:
    values = TokenUserAttributes.from_dict({"tenant_id": "t-1", **attributes})
    return IssueSessionTokenRequest(user=TokenUser(id=user, roles=["analyst"], attributes=values))


def problem_of(operation: Callable[[], object]) -> jeton.Problem:
    try:
        operation()
    except jeton.Problem as problem:
        return problem
    raise AssertionError("this should have been refused")


def makes_a_key(owner: jeton.AuthenticatedClient, *, limited: bool) -> str:
    request = CreateApiKeyRequest(name="sdk", permissions=[GivenPermission.WRITE])
    if limited:
        request.rate_limit = KeyRateLimit(per_minute=60, burst=1)
    created = create_api_key.sync(client=owner, body=request)
    assert created.secret.startswith(created.api_key.prefix)
    return created.secret


def declares_a_policy(client: jeton.AuthenticatedClient) -> None:
    attribute = create_attribute.sync(client=client, body=Attribute(name="project", type_=ValueType.STRING))
    assert attribute.name == "project" and attribute.type_ is ValueType.STRING
    role = Role(
        name="analyst",
        permissions=[RolePermission(resource="report", action="view")],
        required_attributes=["project"],
    )
    assert create_role.sync(client=client, body=role).required_attributes == ["project"]


def issues_and_revokes(client: jeton.AuthenticatedClient) -> str:
    issued = issue_session_token.sync(client=client, body=request_for("user-7", project="p-1"))
    question = IntrospectTokenRequest(token=issued.token)
    active = introspect_token.sync(client=client, body=question)
    assert active.active and active.sub == "user-7" and active.roles == ["analyst"]
    (session,) = list_sessions.sync(client=client, subject="user-7").data
    assert session.id == issued.session_id and session.expires_at == issued.expires_at
    assert session.attributes["project"] == "p-1"
    delete_session.sync(session.id, client=client)
    assert not introspect_token.sync(client=client, body=question).active
    return str(issued.session_id)


def sees_what_is_wrong(client: jeton.AuthenticatedClient) -> None:
    body = request_for("user-7", unknown="x")
    problem = problem_of(lambda: issue_session_token.sync(client=client, body=body))
    assert problem.status == 422 and problem.request_id and not problem.retriable
    found = {(error.pointer, error.code) for error in problem.errors}
    assert ("/user/attributes/project", "missing_attribute") in found, found
    assert ("/user/attributes/unknown", "undeclared_attribute") in found, found
    assert all(error.detail for error in problem.errors)


def is_not_let_in() -> None:
    with jeton.connect(URL, "jtn_nobody") as nobody:
        body = IntrospectTokenRequest(token="x")
        account = problem_of(lambda: get_account.sync(client=nobody))
        introspection = problem_of(lambda: introspect_token.sync(client=nobody, body=body))
    for problem, code in [(account, "invalid_api_key"), (introspection, "invalid_client")]:
        assert (problem.status, problem.code) == (401, code), problem
        assert problem.detail and problem.request_id and problem.errors == []


def is_limited_and_recovers(key: str) -> None:
    refused = None
    with jeton.connect(URL, key, retry=NO_RETRIES) as hasty:
        for _ in range(100):
            try:
                get_account.sync(client=hasty)
            except jeton.Problem as problem:
                refused = problem
                break
    assert refused is not None
    assert (refused.status, refused.code) == (429, "rate_limited") and refused.retriable
    assert refused.retry_after is not None and refused.retry_after >= 1.0

    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds)

    with jeton.connect(URL, key, retry=jeton.Retry(sleep=sleep)) as patient:
        while not waits:
            assert get_account.sync(client=patient).api_key.permissions
    assert waits[0] >= 1.0


def keeps_tokens(client: jeton.AuthenticatedClient) -> list[str]:
    now = 0.0
    tokens = jeton.TokenCache(client, clock=lambda: now)
    request = request_for("user-8", project="p-1")
    together = threading.Barrier(8)

    def one(_: int) -> str:
        together.wait()
        return tokens.token(request_for("user-8", project="p-1")).token

    with ThreadPoolExecutor(8) as threads:
        (first,) = set(threads.map(one, range(8)))
    held = tokens.token(request)
    assert held.token == first and held.refresh_in < held.expires_in
    now = float(held.refresh_in)
    renewed = tokens.token(request)
    assert renewed.token != first and tokens.token(request) is renewed
    sessions = list_sessions.sync(client=client, subject="user-8").data
    assert {it.id for it in sessions} == {held.session_id, renewed.session_id}

    async def the_same_on_asyncio() -> str:
        tokens = jeton.AsyncTokenCache(client)
        request = request_for("user-9", project="p-1")
        first, *others = await asyncio.gather(*(tokens.token(request) for _ in range(8)))
        assert all(it is first for it in others)
        try:
            await tokens.token(request_for("user-9"))
        except jeton.Problem as problem:
            assert problem.status == 422
        else:
            raise AssertionError("the request is wrong")
        await client.get_async_httpx_client().aclose()
        return str(first.session_id)

    return [str(held.session_id), str(renewed.session_id), asyncio.run(the_same_on_asyncio())]


def main() -> None:
    with jeton.connect(URL, os.environ["JETON_API_KEY"]) as owner:
        key = makes_a_key(owner, limited=False)
        limited = makes_a_key(owner, limited=True)
    with jeton.connect(URL, key) as client:
        declares_a_policy(client)
        sessions = [issues_and_revokes(client)]
        sees_what_is_wrong(client)
        is_not_let_in()
        is_limited_and_recovers(limited)
        sessions += keeps_tokens(client)
    print(json.dumps(sessions))


main()
