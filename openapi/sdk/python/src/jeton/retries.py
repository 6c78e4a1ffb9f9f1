"""Sending again what was answered with 429 or 503."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .problems import Problem


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

    def wait(self, attempt: int, problem: Problem) -> float | None:
        """How long to wait after the attempt of this number, counted from 1; `None` to leave it at that."""
        asked = problem.retry_after or 0.0
        if problem.status not in (429, 503) or attempt >= self.attempts or asked > self.max_wait:
            return None
        jitter = random.uniform(0.0, min(self.base * 2.0 ** (attempt - 1), self.max_wait))
        return min(asked + jitter, self.max_wait)
