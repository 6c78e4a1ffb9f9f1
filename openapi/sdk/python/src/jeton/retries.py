"""Sending again what was answered with 429 or 503."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx


@dataclass(frozen=True)
class Retry:
    """How often and when a request is sent again that was answered with 429 or 503.

    Nothing was done then, so this is safe for every operation. Before each further attempt it waits as long as
    `Retry-After` says, and on top of that a random time, so that clients that were refused together do not come back
    together. Times are in seconds.
    """

    attempts: int = 4
    """How often a request is sent at most; 1 for no retries."""
    base: float = 0.25
    """The upper end of the first random time. It doubles with each attempt."""
    max_wait: float = 30.0
    """The longest wait. When the server asks for more, its answer is handed on at once."""
    sleep: Callable[[float], None] = time.sleep
    async_sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def wait(self, attempt: int, response: httpx.Response) -> float | None:
        """How long to wait after the attempt of this number, counted from 1; `None` to leave it at that."""
        asked = retry_after(response) or 0.0
        if response.status_code not in (429, 503) or attempt >= self.attempts or asked > self.max_wait:
            return None
        jitter = random.uniform(0.0, min(self.base * 2.0 ** (attempt - 1), self.max_wait))
        return min(asked + jitter, self.max_wait)


def retry_after(response: httpx.Response) -> float | None:
    """The seconds that the header asks for, which has them or a date."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


class RetryingTransport(httpx.BaseTransport):
    """Another transport, with retries."""

    def __init__(self, inner: httpx.BaseTransport, retry: Retry) -> None:
        self._inner = inner
        self._retry = retry

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        attempt = 1
        while True:
            response = self._inner.handle_request(request)
            wait = self._retry.wait(attempt, response)
            if wait is None:
                return response
            response.close()
            self._retry.sleep(wait)
            attempt += 1

    def close(self) -> None:
        self._inner.close()


class AsyncRetryingTransport(httpx.AsyncBaseTransport):
    """Another transport, with retries."""

    def __init__(self, inner: httpx.AsyncBaseTransport, retry: Retry) -> None:
        self._inner = inner
        self._retry = retry

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        attempt = 1
        while True:
            response = await self._inner.handle_async_request(request)
            wait = self._retry.wait(attempt, response)
            if wait is None:
                return response
            await response.aclose()
            await self._retry.async_sleep(wait)
            attempt += 1

    async def aclose(self) -> None:
        await self._inner.aclose()
