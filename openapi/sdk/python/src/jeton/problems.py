"""What the server refuses, as an exception."""

import json
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from .models import FieldProblem


class Problem(Exception):
    """An answer that is an error. Decide by `code`."""

    status: int
    """The HTTP status."""
    code: str
    """What happened, as a stable name; see docs/errors.md. From the OAuth operations it is their `error`."""
    detail: str
    """What happened, for people."""
    request_id: str | None
    """What the server's logs call the request."""
    errors: list[FieldProblem]
    """What is wrong with the input, each with its place; empty when the problem is not the input."""
    retry_after: float | None
    """How many seconds the server asks to wait."""

    def __init__(self, response: httpx.Response) -> None:
        body = _members(response)
        self.status = response.status_code
        # The members of both kinds of error answers, RFC 9457 and RFC 6749.
        self.code = body.get("code") or body.get("error") or "unexpected_answer"
        self.detail = body.get("detail") or body.get("error_description") or response.reason_phrase
        self.request_id = response.headers.get("x-request-id")
        self.errors = [FieldProblem.from_dict(it) for it in body.get("errors", [])]
        self.retry_after = _retry_after(response)
        super().__init__(f"{self.status} {self.code}: {self.detail} ({self.request_id})")

    @property
    def retriable(self) -> bool:
        """May the same request succeed later?"""
        return self.status == 429 or self.status >= 500


def _members(response: httpx.Response) -> dict[str, Any]:
    """A proxy on the way may have answered in a form of its own, which has none."""
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds that the header asks for, which has them or a date."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except ValueError:
        return None
