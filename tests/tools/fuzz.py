"""What schemathesis is told about the API beside its description: ids that exist, and what must not happen.

Every parameter of a path is, mostly, taken from the list in front of it: `{id}` of `/v1/webhooks/{id}/enable` is the `id`
of something that `GET /v1/webhooks` lists. So routes that are added later are covered as well, if they are named likewise.

Environment:
    FUZZ_KEPT      an id that no path gets: whoever calls must not revoke its own key.
    FUZZ_MEMBERS   a JSON object: what members of these names are, mostly, set to wherever they stand in a body.
    FUZZ_OUTCOMES  where to write, at the end, a JSON object of how often each operation answered with each status.
"""

import atexit
import json
import os
import random
from collections import Counter, defaultdict
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlsplit

import requests
import schemathesis

# One request in so many is left as it was generated: its path names nothing, its body somebody else.
LEFT_AS_GENERATED = 5

# Things that deletions use up are made again below this number.
PLENTY = 5

KEPT = os.environ["FUZZ_KEPT"]
MEMBERS = json.loads(os.environ["FUZZ_MEMBERS"])
outcomes = defaultdict(Counter)
dice = random.Random(7)
numbers = count(1)


def fresh_url():
    """One that nobody has registered: the description's examples can be registered but once."""
    return f"https://fuzz.example/{next(numbers)}"


def make_webhook():
    return {"url": fresh_url(), "events": ["appointment.scheduled"]}


def make_key():
    return {"role": "developer", "name": "for the fuzzing"}


MADE = {"/v1/webhooks": make_webhook, "/v1/keys": make_key}


def listed(base, collection, name, headers):
    """Names of things that are there, after making some if there are few."""
    values = names(base, collection, name, headers)
    if len(values) < PLENTY and collection in MADE:
        requests.post(base + collection, json=MADE[collection](), headers=headers, timeout=10)
        values = names(base, collection, name, headers)
    return values


def names(base, collection, name, headers):
    answer = requests.get(base + collection, params={"limit": 200}, headers=headers, timeout=10)
    # Event types come in one page.
    if answer.status_code == 400:
        answer = requests.get(base + collection, headers=headers, timeout=10)
    things = answer.json().get("data", []) if answer.ok else []
    # A revoked key can be read but counts for nothing.
    usable = [thing for thing in things if thing.get("status") not in ("revoked", "expired")]
    return [thing[name] for thing in usable if name in thing and thing[name] != KEPT]


def with_known_members(value):
    """The same JSON with known values in place of what was made up."""
    if isinstance(value, list):
        return [with_known_members(item) for item in value]
    if isinstance(value, dict):
        return {name: known(name) or with_known_members(member) for name, member in value.items()}
    return value


def known(name):
    return fresh_url() if name == "url" else MEMBERS.get(name)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Leaves out the headers that every operation shares: whoever calls sets them, or they mean nothing."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            own = [parameter for parameter in operation.get("parameters", []) if "$ref" not in parameter]
            operation["parameters"] = own


@schemathesis.hook
def before_call(context, case, kwargs):
    know_better(case, kwargs)
    # The fuzzer also tries what it saw in answers.
    if KEPT in case.path_parameters.values():
        case.path_parameters = dict.fromkeys(case.path_parameters, "none")


def know_better(case, kwargs):
    """Puts values that exist in place of those that were made up."""
    if dice.randrange(LEFT_AS_GENERATED) == 0:
        return
    case.body = with_known_members(case.body)
    if "{" not in case.path:
        return
    collection, _, rest = case.path.partition("/{")
    name = rest.partition("}")[0]
    address = urlsplit(case.operation.base_url)
    base = f"{address.scheme}://{address.netloc}"
    values = listed(base, collection, name, dict(case.headers or {}) | dict(kwargs.get("headers") or {}))
    if values:
        case.path_parameters = {**case.path_parameters, name: quote(dice.choice(values), safe="")}


@schemathesis.hook
def after_call(context, case, response):
    outcomes[case.operation.label][response.status_code] += 1


@atexit.register
def write():
    Path(os.environ["FUZZ_OUTCOMES"]).write_text(json.dumps(outcomes))
