"""Drives the clients from PyPI that nobody here wrote, `bpjs-bridging` and `pythonbpjs`, step by step.

Reads lines of JSON from standard input: first the base URLs and the credentials, then one step a line; answers each
with one line: what the package returned. The packages are used as they are. Neither knows P-Care's X-authorization;
for the steps that say `"login": true` a subclass adds that header and P-Care's content type, nothing else. Where both
fail by themselves (an answer in the clear that is no text), `"client": "own"` is the client of `services_client.py`.
"""

import base64
import json
import sys

import bpjs
from pythonbpjs import bpjs as older

import services_client

# What `bpjs-bridging` calls the services it knows.
NAMES = {"vclaim": "vclaim", "antrean_fktp": "antrean", "icare": "icare"}


class WithLogin(bpjs.Bridging):
    SERVICE_CONFIG = {
        **bpjs.Bridging.SERVICE_CONFIG,
        "pcare": {"encrypted": True, "use_user_key": True, "content_type": "text/plain"},
    }

    def __init__(self, client, service):
        super().__init__(client, service)
        login = f"{client['username']}:{client['password']}:095"
        self.login = "Basic " + base64.b64encode(login.encode()).decode()

    def _headers(self, timestamp):
        return {**super()._headers(timestamp), "X-authorization": self.login}


class Clients:
    def __init__(self, given):
        self.hosts, self.held = given["hosts"], given["credentials"]

    def account(self, service):
        held = self.held
        return {
            "host": self.hosts[service], "consid": held["cons_id"], "secret": held["secret_key"],
            "user_key": held["user_key"][service], "username": held["username"], "password": held["password"],
            "is_encrypt": 1,
        }

    def take(self, step):
        service, method, path = step["service"], step["method"], step["path"]
        account = self.account(service)
        if step.get("client") == "pythonbpjs":
            # Its own default for the payload is an empty dict, which it sends as `{}` even with a GET.
            more = {} if step.get("body") is None else {"payload": step["body"]}
            return older.bridging(account, path, method.lower(), **more)
        if step.get("client") == "own":
            own = services_client.Client("", self.held, self.hosts)
            told = own.call(service, method, path, step.get("body"))
            opened = told["opened"] if told["opened"] is not None else told["envelope"].get("response")
            return {**told["envelope"], "response": opened}
        kind = WithLogin if step.get("login") else bpjs.Bridging
        return kind(account, NAMES.get(service, service)).request(path, method, step.get("body"))


def main():
    clients = Clients(json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        print(json.dumps(clients.take(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
