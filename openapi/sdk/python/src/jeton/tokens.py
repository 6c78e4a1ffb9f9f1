"""Session tokens that are handed out again, and replaced ahead of their end."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import httpx

from .api.session_tokens import issue_session_token
from .client import AuthenticatedClient
from .models import IssueSessionTokenRequest, SessionToken
from .problems import Problem


@dataclass(frozen=True)
class _Held:
    session: SessionToken
    refresh_at: float
    expires_at: float


class _Store:
    """The tokens that are kept, by their requests."""

    def __init__(self, capacity: int, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._capacity = capacity
        self._held: dict[str, _Held] = {}

    def get(self, key: str) -> _Held | None:
        return self._held.get(key)

    def fresh(self, key: str) -> SessionToken | None:
        held = self._held.get(key)
        return held.session if held and self.clock() < held.refresh_at else None

    def put(self, key: str, session: SessionToken, asked: float) -> None:
        self._held.pop(key, None)
        if len(self._held) >= self._capacity:
            now = self.clock()
            # First those that ended go, then the oldest.
            self._held = {other: held for other, held in self._held.items() if now < held.expires_at}
            while len(self._held) >= max(self._capacity, 1):
                del self._held[next(iter(self._held))]
        self._held[key] = _Held(session, asked + session.refresh_in, asked + session.expires_in)

    def failed(self, key: str, error: Exception) -> None:
        """A refusal ends the token that is kept; a server that is not there says nothing about it."""
        if not _transient(error):
            self._held.pop(key, None)

    def instead(self, held: _Held | None, error: Exception) -> SessionToken:
        """The token from before, when it still holds and the error says nothing about the request."""
        if held is None or not _transient(error) or self.clock() >= held.expires_at:
            raise error
        return held.session

    def forget(self, key: str) -> None:
        self._held.pop(key, None)


def _transient(error: Exception) -> bool:
    return error.retriable if isinstance(error, Problem) else isinstance(error, httpx.TransportError)


def _key(request: IssueSessionTokenRequest) -> str:
    return json.dumps(request.to_dict(), sort_keys=True)


class TokenCache:
    """Hands out session tokens: the same one for equal requests, until it is time for the next.

    However many threads ask at once, the server is asked once.
    """

    def __init__(
        self, client: AuthenticatedClient, *, capacity: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._store = _Store(capacity, clock)
        self._lock = threading.Lock()
        self._flights: dict[str, Future[SessionToken]] = {}

    def token(self, request: IssueSessionTokenRequest) -> SessionToken:
        """A token for the request that still holds for some time.

        A new one is issued when the server's `refresh_in` is over, ahead of the old one's end. When the server cannot
        be reached for that, or not answer, the old one is given as long as it holds; a refusal is raised at once, and
        the old one is forgotten.
        """
        key = _key(request)
        with self._lock:
            if session := self._store.fresh(key):
                return session
            held = self._store.get(key)
            flight = self._flights.get(key)
            first = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if first:
            self._fetch(key, request, flight)
        try:
            return flight.result()
        except Exception as error:
            return self._store.instead(held, error)

    def forget(self, request: IssueSessionTokenRequest) -> None:
        """Drops the token of a request, for example when its consumer refuses it."""
        with self._lock:
            self._store.forget(_key(request))

    def _fetch(self, key: str, request: IssueSessionTokenRequest, flight: Future[SessionToken]) -> None:
        # From before the request: rather too early than too late.
        asked = self._store.clock()
        try:
            session = issue_session_token.sync(client=self._client, body=request)
        except Exception as error:
            with self._lock:
                self._store.failed(key, error)
                del self._flights[key]
            flight.set_exception(error)
        except BaseException:
            # This thread is told to end; the others are not.
            with self._lock:
                del self._flights[key]
            flight.cancel()
            raise
        else:
            with self._lock:
                self._store.put(key, session, asked)
                del self._flights[key]
            flight.set_result(session)


class AsyncTokenCache:
    """The same as `TokenCache`, for programs on asyncio."""

    def __init__(
        self, client: AuthenticatedClient, *, capacity: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._store = _Store(capacity, clock)
        self._flights: dict[str, asyncio.Task[SessionToken]] = {}

    async def token(self, request: IssueSessionTokenRequest) -> SessionToken:
        """As `TokenCache.token`."""
        key = _key(request)
        if session := self._store.fresh(key):
            return session
        held = self._store.get(key)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(self._fetch(key, request))
        try:
            # Others wait for it as well: it does not end with the caller who happened to be first.
            return await asyncio.shield(flight)
        except Exception as error:
            return self._store.instead(held, error)

    def forget(self, request: IssueSessionTokenRequest) -> None:
        """As `TokenCache.forget`."""
        self._store.forget(_key(request))

    async def _fetch(self, key: str, request: IssueSessionTokenRequest) -> SessionToken:
        # From before the request: rather too early than too late.
        asked = self._store.clock()
        try:
            session = await issue_session_token.asyncio(client=self._client, body=request)
        except Exception as error:
            self._store.failed(key, error)
            raise
        finally:
            del self._flights[key]
        self._store.put(key, session, asked)
        return session
