"""Issues a session token for a user, twice, and asks the server once.

    JETON_URL=http://127.0.0.1:8080 JETON_API_KEY=jtn_… python issue_token.py
"""

import os
import sys

import jeton
from jeton.models import IssueSessionTokenRequest, TokenUser, TokenUserAttributes


def main() -> int:
    user = TokenUser(
        id="user-42",
        roles=["viewer"],
        attributes=TokenUserAttributes.from_dict({"tenant_id": "t-1"}),
    )
    with jeton.connect(os.environ["JETON_URL"], os.environ["JETON_API_KEY"]) as client:
        tokens = jeton.TokenCache(client)
        try:
            session = tokens.token(IssueSessionTokenRequest(user=user))
        except jeton.Problem as problem:
            print(problem, file=sys.stderr)
            for error in problem.errors:
                print(f"{error.pointer}: {error.detail}", file=sys.stderr)
            return 1
        again = tokens.token(IssueSessionTokenRequest(user=user))
    print(session.token)
    print(f"for {session.expires_in} s; the next one after {session.refresh_in} s", file=sys.stderr)
    return 0 if again.token == session.token else 1


if __name__ == "__main__":
    sys.exit(main())
