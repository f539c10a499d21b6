"""The cloud that is looked at: its account, a client of the SDK for each service, and patience."""

import time

import requests
from huaweicloudsdkcbr.v1 import CbrClient
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkecs.v2 import EcsClient, ShowJobRequest, ShowServerRequest
from huaweicloudsdkevs.v2 import EvsClient
from huaweicloudsdkiam.v3 import IamClient
from huaweicloudsdkims.v2 import ImsClient
from huaweicloudsdkkms.v2 import KmsClient

# Everything here takes seconds; what has not ended by then never will.
PATIENCE = 12.0


class Cloud:
    """Where it is and how to get in: the first line of `refleet simulator`."""

    def __init__(self, told, endpoint=None):
        self.told, self.endpoint = told, endpoint or told["endpoint"]
        self.project = told["project_id"]
        self.ecs, self.evs, self.ims = map(self.client, (EcsClient, EvsClient, ImsClient))
        self.kms, self.cbr, self.iam = map(self.client, (KmsClient, CbrClient, IamClient))

    def client(self, kind, secret=None, access=None, session=None):
        """A client with our keys, or with others."""
        keys = access or self.told["access_key"], secret or self.told["secret_key"]
        if kind is IamClient:
            who = GlobalCredentials(*keys, self.told["domain_id"])
        else:
            who = BasicCredentials(*keys, self.project)
        if session:
            who = who.with_security_token(session)
        config = HttpConfig.get_default_config()
        config.timeout, config.retry_times = (5, 20), 0
        builder = kind.new_builder().with_http_config(config).with_credentials(who)
        return builder.with_endpoint(self.endpoint).build()

    def get(self, path, **headers):
        """A request without any SDK."""
        return requests.get(self.endpoint + path.replace("{p}", self.project), headers=headers, timeout=20)

    def post(self, path, body, **headers):
        """The same with a body."""
        address = self.endpoint + path.replace("{p}", self.project)
        return requests.post(address, json=body, headers=headers, timeout=20)

    def password(self, scope=None, password=None, user=None):
        """The body that asks for a token."""
        told = self.told
        return {"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": user or told["username"], "password": password or told["password"],
                "domain": {"name": told["domain_name"]}}}},
            "scope": scope or {"project": {"name": told["project_name"]}}}}

    def token(self):
        """A token of the project."""
        return self.post("/v3/auth/tokens", self.password()).headers["X-Subject-Token"]

    def stats(self):
        """What the simulator has counted."""
        return requests.get(self.told["endpoint"] + "/_refleet/stats", timeout=20).json()

    def reset(self):
        """The world as it was in the beginning."""
        requests.post(self.told["endpoint"] + "/_refleet/reset", timeout=20).raise_for_status()

    def server(self, server):
        """A server as it is now."""
        return self.ecs.show_server(ShowServerRequest(server)).server

    def job(self, job):
        """A job as it is now."""
        return self.ecs.show_job(ShowJobRequest(job))

    def end_of(self, job):
        """A job that has ended, or that still has not when patience is over."""
        return patiently(lambda: self.job(job), lambda shown: shown.status in ("SUCCESS", "FAIL"))


def patiently(look, enough, patience=PATIENCE):
    """Looks until it is enough; gives back the last look."""
    end = time.monotonic() + patience
    while True:
        seen = look()
        if enough(seen) or time.monotonic() > end:
            return seen
        time.sleep(0.05)


def refusal(call):
    """Status and code that a call of the SDK is refused with; `None`: it was not."""
    try:
        call()
    except ServiceResponseException as error:
        return error.status_code, error.error_code
    return None
