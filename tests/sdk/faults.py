"""A bad day of the server, as every client bears it: see tests/e2e/sdk.rs."""

import asyncio
import os
from collections.abc import Callable

import httpx

import jeton
from jeton.api.policy import delete_role
from jeton.models import IssueSessionTokenRequest, TokenUser


def error_of(operation: Callable[[], object]) -> Exception:
    try:
        operation()
    except Exception as error:
        return error
    raise AssertionError("this should have failed")


def problem_of(operation: Callable[[], object]) -> jeton.Problem:
    error = error_of(operation)
    assert isinstance(error, jeton.Problem), error
    return error


def requests(client: jeton.AuthenticatedClient) -> None:
    delete_role.sync("recovering", client=client)
    down = problem_of(lambda: delete_role.sync("down", client=client))
    assert (down.status, down.code) == (503, "unavailable")
    busy = problem_of(lambda: delete_role.sync("busy", client=client))
    assert (busy.status, busy.retry_after) == (429, 3600.0)
    later = problem_of(lambda: delete_role.sync("later", client=client))
    assert later.retry_after is not None and later.retry_after > 3600.0
    proxy = problem_of(lambda: delete_role.sync("proxy", client=client))
    assert (proxy.status, proxy.code, proxy.errors) == (502, "unexpected_answer", [])
    error_of(lambda: delete_role.sync("elsewhere", client=client))


def request_for(user: str) -> IssueSessionTokenRequest:
    return IssueSessionTokenRequest(user=TokenUser(id=user, roles=["viewer"]))


def tokens(client: jeton.AuthenticatedClient) -> None:
    now = 0.0
    cache = jeton.TokenCache(client, capacity=2, clock=lambda: now)
    fading, refused = request_for("fading"), request_for("refused")
    first = cache.token(fading)
    cache.token(refused)
    now = 675.0
    assert cache.token(fading) is first
    for now in [675.0, 0.0]:
        assert problem_of(lambda: cache.token(refused)).status == 403
    now = 900.0
    assert problem_of(lambda: cache.token(fading)).status == 503


async def on_asyncio() -> None:
    retry = jeton.Retry(base=0.001)
    async with jeton.connect(os.environ["JETON_URL"], os.environ["JETON_API_KEY"], retry=retry) as client:
        await delete_role.asyncio("asyncio", client=client)


def main() -> None:
    retry = jeton.Retry(base=0.001)
    with jeton.connect(os.environ["JETON_URL"], os.environ["JETON_API_KEY"], retry=retry) as client:
        requests(client)
        tokens(client)
    with jeton.connect("http://127.0.0.1:1", "jtn_nobody") as nobody:
        error = error_of(lambda: jeton.TokenCache(nobody).token(request_for("fading")))
        assert isinstance(error, httpx.ConnectError), error
    asyncio.run(on_asyncio())


main()
