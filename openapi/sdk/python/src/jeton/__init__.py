"""A client of a Jeton server.

The operations are in `jeton.api`, a module each, and their values in `jeton.models`; both are generated from the
server's OpenAPI document. Around them is here what every program needs: authentication, retries, typed problems and a
cache of session tokens.
"""

from .client import AuthenticatedClient
from .connection import VERSION as __version__
from .connection import connect
from .problems import Problem
from .retries import Retry
from .tokens import AsyncTokenCache, TokenCache

__all__ = ["AsyncTokenCache", "AuthenticatedClient", "Problem", "Retry", "TokenCache", "__version__", "connect"]
