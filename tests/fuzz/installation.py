"""What the tested organization holds, so that requests find something: made through the API with a key that may do
everything, one by one when an operation needs it, and put right again when a request has changed what others need."""

import itertools
import os

import requests

#: What the document's examples name.
POLICY = {
    "roles": [{"name": "viewer", "permissions": [{"resource": "dashboard", "action": "view"}]}],
    "attributes": [{"name": "tenant_id", "type": "string", "required": True}],
}
ISSUE = {"user": {"id": "user-42", "roles": ["viewer"], "attributes": {"tenant_id": "t-1"}}}
ORIGIN = "https://app.example.com"


class Installation:
    def __init__(self, url, master_key):
        self.url = url
        self.session = requests.Session()
        self.session.headers["x-api-key"] = master_key
        run = os.environ["JETON_FUZZ_RUN"]
        self.names = (f"{run}-{number}" for number in itertools.count())
        self.kept = {}
        self.account = self.call("GET", "/v1/account").json()
        self.restore_policy()
        audiences = self.call("GET", "/v1/audiences").json()["data"]
        self.default_audience = next(it for it in audiences if it["name"] == "default")["id"]
        self.call(
            "PATCH",
            f"/v1/audiences/{self.default_audience}",
            {"authorized_origins": [ORIGIN], "renewal": {"session_seconds": 3600}},
        )

    def call(self, method, path, body=None, *, wanted=(200, 201, 204)):
        answer = self.session.request(method, self.url + path, json=body, timeout=30)
        if answer.status_code not in wanted:
            raise AssertionError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    # What others need

    def restore_policy(self):
        """The examples' policy, with whatever else was declared, but for attributes that all tokens would need."""
        current = self.call("GET", "/v1/policy").json()
        ours = {kind: {it["name"] for it in POLICY[kind]} for kind in POLICY}
        others = {
            kind: [it for it in current[kind] if it["name"] not in ours[kind]] for kind in POLICY
        }
        for attribute in others["attributes"]:
            attribute.pop("required", None)
        merged = {kind: POLICY[kind] + others[kind] for kind in POLICY}
        merged["row_rules"] = current.get("row_rules", [])
        if self.call("PUT", "/v1/policy", merged, wanted=(200, 422)).status_code == 422:
            self.call("PUT", "/v1/policy", POLICY)

    def lift_key_lifetime(self):
        self.call("PATCH", "/v1/organization", {"max_key_lifetime_seconds": None})

    # What requests find

    def one(self, kind):
        """One of a kind that stays: made once, and again when it is gone."""
        if kind not in self.kept:
            self.kept[kind] = self.fresh(kind)
        return self.kept[kind]

    def gone(self, kind, identifier):
        if self.kept.get(kind) == identifier:
            del self.kept[kind]

    def fresh(self, kind):
        return getattr(self, f"new_{kind}")()

    def new_api_key(self):
        return self.new_whole_key()["api_key"]["id"]

    def new_whole_key(self):
        return self.call("POST", "/v1/api-keys", {"name": "fuzzed", "permissions": []}).json()

    def new_user(self):
        body = {
            "email": f"{next(self.names)}@example.com",
            "password": "not a common one at all",
            "role": "viewer",
        }
        return self.call("POST", "/v1/users", body).json()["id"]

    def new_service_account(self):
        return self.call("POST", "/v1/service-accounts", {"name": "fuzzed"}).json()["id"]

    def new_role(self):
        return self.call("POST", "/v1/roles", {"name": next(self.names)}).json()["name"]

    def new_attribute(self):
        body = {"name": next(self.names).replace("-", "_"), "type": "string"}
        return self.call("POST", "/v1/attributes", body).json()["name"]

    def new_audience(self):
        return self.make_audience({})

    def new_shared_audience(self):
        return self.make_audience({"algorithm": "HS256"})

    def make_audience(self, further):
        body = {"name": next(self.names), **further}
        answer = self.call("POST", "/v1/audiences", body, wanted=(201, 409))
        if answer.status_code == 409:
            self.remove_audiences()
            answer = self.call("POST", "/v1/audiences", body)
        return answer.json()["id"]

    def remove_audiences(self):
        """An organization has at most 100."""
        kept = {self.default_audience, *self.kept.values()}
        for audience in self.call("GET", "/v1/audiences?limit=100").json()["data"]:
            if audience["id"] not in kept:
                self.call("DELETE", f"/v1/audiences/{audience['id']}", wanted=(204, 404))

    def new_session(self):
        return self.issue()["session_id"]

    def issue(self):
        return self.call("POST", "/v1/session-tokens", ISSUE).json()

    def signing_key(self, audience):
        keys = self.call("GET", f"/v1/audiences/{audience}/signing-keys", wanted=(200, 404))
        return keys.json()["data"][0]["kid"] if keys.status_code == 200 else "none"
