"""The client that all operations take."""

from typing import Any

import httpx

from .client import AuthenticatedClient
from .problems import raise_problem, raise_problem_async
from .retries import AsyncRetryingTransport, Retry, RetryingTransport

VERSION = "0.0.0"


class _ApiKey(httpx.Auth):
    """Adds the API key to requests that bring no credential of their own."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Any:
        if "Authorization" not in request.headers:
            request.headers["x-api-key"] = self._key
        yield request


def connect(
    url: str,
    api_key: str,
    *,
    retry: Retry = Retry(),
    timeout: float = 30.0,
    transport: httpx.BaseTransport | None = None,
    async_transport: httpx.AsyncBaseTransport | None = None,
) -> AuthenticatedClient:
    """What the operations of `jeton.api` take, for the server at this address.

    It presents the API key, sends again what the server could not answer, and raises `Problem` for every error answer.
    `timeout` is in seconds, for one attempt. Use it as a context manager, `with` or `async with`, or for the life of
    the program.
    """
    if not api_key:
        raise ValueError("the API key is empty")
    # No redirects, which is httpx's default: the API has none, and the key is for this server alone.
    common: dict[str, Any] = {
        "base_url": url.rstrip("/"),
        "auth": _ApiKey(api_key),
        "headers": {"User-Agent": f"jeton-python/{VERSION}"},
        "timeout": timeout,
    }
    client = AuthenticatedClient(base_url=url, token="")
    client.set_httpx_client(
        httpx.Client(
            **common,
            transport=RetryingTransport(transport or httpx.HTTPTransport(), retry),
            event_hooks={"response": [raise_problem]},
        )
    )
    client.set_async_httpx_client(
        httpx.AsyncClient(
            **common,
            transport=AsyncRetryingTransport(async_transport or httpx.AsyncHTTPTransport(), retry),
            event_hooks={"response": [raise_problem_async]},
        )
    )
    return client
