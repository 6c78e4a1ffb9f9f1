"""The client that all operations take."""

from typing import Any

import httpx

from .client import AuthenticatedClient
from .problems import Problem
from .retries import Retry

VERSION = "0.0.0"


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
    client.set_httpx_client(_Client(retry, transport=transport, **common))
    client.set_async_httpx_client(_AsyncClient(retry, transport=async_transport, **common))
    return client


class _ApiKey(httpx.Auth):
    """Adds the API key to requests that bring no credential of their own."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Any:
        if "Authorization" not in request.headers:
            request.headers["x-api-key"] = self._key
        yield request


class _Client(httpx.Client):
    def __init__(self, retry: Retry, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._retry = retry

    def send(self, request: httpx.Request, **arguments: Any) -> httpx.Response:
        attempt = 1
        while True:
            response = super().send(request, **arguments)
            if not response.is_error:
                return response
            problem = Problem(response)
            wait = self._retry.wait(attempt, problem)
            if wait is None:
                raise problem
            self._retry.sleep(wait)
            attempt += 1


class _AsyncClient(httpx.AsyncClient):
    def __init__(self, retry: Retry, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._retry = retry

    async def send(self, request: httpx.Request, **arguments: Any) -> httpx.Response:
        attempt = 1
        while True:
            response = await super().send(request, **arguments)
            if not response.is_error:
                return response
            problem = Problem(response)
            wait = self._retry.wait(attempt, problem)
            if wait is None:
                raise problem
            await self._retry.async_sleep(wait)
            attempt += 1
