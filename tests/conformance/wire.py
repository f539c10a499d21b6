"""What really went over the wire, and whether its types are those of the SDK's models.

The SDKs are lenient: they drop fields that they do not know, and turn a number into a text where
they want one. So every answer is caught below them, and looked at as the JSON that it was."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import requests

WIRE = Path(__file__).resolve().parent.parent / "wire"


class Answer:
    """One request and what came back."""

    def __init__(self, request, response):
        address = urlsplit(request.url)
        self.method, self.path, self.query = request.method, address.path, address.query
        self.status, self.text = response.status_code, response.text
        try:
            self.json = json.loads(self.text)
        except ValueError:
            self.json = None


ANSWERS = []


def listen():
    """From now on every answer to an HTTP library of this process is kept."""
    plain = requests.Session.send

    def send(self, request, **options):
        response = plain(self, request, **options)
        ANSWERS.append(Answer(request, response))
        return response

    requests.Session.send = send


class Models:
    """The SDK's models of answers, found by method and path."""

    def __init__(self):
        self.calls = []
        for file in sorted((WIRE / "models").glob("*.json")):
            if file.name == "index.json":
                continue
            model = json.loads(file.read_text())
            # Jobs of EVS and IMS have the path of ECS's; our one port is ECS's.
            if file.stem in ("evs.show_job", "ims.show_job"):
                continue
            pattern = re.sub(r"\{[a-z_]+\}", "[^/]+", model["path"])
            fixed = len(re.sub(r"\{[a-z_]+\}", "", model["path"]))
            self.calls.append((fixed, model["method"], re.compile(pattern + "/?$"), file.stem, model))
        # Of two that fit, the one with more fixed text is meant: `detail` is no server's id.
        self.calls.sort(key=lambda call: -call[0])
        self.always = json.loads((WIRE / "always.json").read_text())

    def of(self, answer):
        """Name and model of the call that an answer is of, if there is one."""
        for _, method, pattern, name, model in self.calls:
            if method == answer.method and pattern.match(answer.path):
                return name, model
        return None, None

    def problems(self, answer):
        """What is wrong with an answer: fields of another type, and fields that are not there."""
        name, model = self.of(answer)
        if model is None or answer.status >= 300 or answer.json is None:
            return []
        found = list(self._typed(model, model["response"], answer.json, name))
        for path in self.always.get(name, []):
            found += [f"{name}: {path} is missing"] * (not _present(answer.json, path.split("/")))
        return found

    def _typed(self, model, kind, value, place):
        if value is None or kind in ("object", "enum"):
            return
        listed = re.fullmatch(r"list\[(.+)\]", kind)
        mapped = re.fullmatch(r"dict\(str, (.+)\)", kind)
        wanted = {"str": str, "datetime": str, "date": str, "bool": bool}.get(kind)
        if listed:
            wanted = list
        elif mapped or kind in model["models"]:
            wanted = dict
        if kind in ("int", "float"):
            number = isinstance(value, int) or (kind == "float" and isinstance(value, float))
            good = number and not isinstance(value, bool)
        else:
            good = wanted is None or isinstance(value, wanted)
        fields = model["models"].get(kind, {}).get("fields", [])
        if [field["name"] for field in fields] == ["body"]:  # the whole answer is that type
            yield from self._typed(model, fields[0]["type"], value, place)
            return
        if not good:
            yield f"{place}: {json.dumps(value)[:60]} is no {kind}"
            return
        if listed:
            for item in value:
                yield from self._typed(model, listed[1], item, f"{place}[]")
        elif mapped:
            for item in value.values():
                yield from self._typed(model, mapped[1], item, f"{place}.*")
        for field in fields:
            if field["name"] in value:
                inside = f"{place}.{field['name']}"
                yield from self._typed(model, field["type"], value[field["name"]], inside)


def _present(value, path):
    if not path:
        return True
    if path[0] == "*":
        items = value.values() if isinstance(value, dict) else value
        return all(_present(item, path[1:]) for item in items)
    return isinstance(value, dict) and path[0] in value and (
        len(path) == 1 or _present(value[path[0]], path[1:]))
