"""The provider's own OpenAPI document, as a judge of requests and answers."""

import json
import re
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft202012Validator, FormatChecker

FIXTURES = Path(__file__).parent.parent / "fixtures"
DOCUMENTS = ("twilio_api_v2010.json", "twilio_verify_v2.json")
FORM = "application/x-www-form-urlencoded"
FORMATS = FormatChecker(formats=[])


@FORMATS.checks("date-time-rfc-2822", raises=(ValueError, TypeError))
def is_mail_date(value):
    return not isinstance(value, str) or parsedate_to_datetime(value).utcoffset() is not None


@FORMATS.checks("phone-number")
def is_phone_number(value):
    return not isinstance(value, str) or re.fullmatch(r"\+[1-9][0-9]{6,14}", value) is not None


@FORMATS.checks("uri", raises=ValueError)
def is_uri(value):
    """Absolute, or relative to the API's host as the `uri` fields are."""
    if not isinstance(value, str):
        return True
    if re.search(r"[^\x21-\x7e]", value):
        return False
    parts = urlsplit(value)
    absolute = parts.scheme in ("http", "https") and parts.hostname and "_" not in parts.hostname
    return bool(absolute) or value.startswith("/2010-04-01/")


def with_null(schema):
    """OpenAPI 3.0 says `nullable` where JSON Schema lists the type null."""
    if isinstance(schema, list):
        return [with_null(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: with_null(part) for name, part in schema.items()}
    if plain.get("nullable") is True and isinstance(plain.get("type"), str):
        plain["type"] = [plain["type"], "null"]
        if "enum" in plain:
            plain["enum"] = [*plain["enum"], None]
    if plain.get("type") in ("object", ["object", "null"]) and "properties" in plain:
        plain.setdefault("additionalProperties", False)
    return plain


class Contract:
    def __init__(self):
        documents = [json.loads((FIXTURES / name).read_text()) for name in DOCUMENTS]
        schemas = {name: schema for document in documents for name, schema in document["components"]["schemas"].items()}
        self.components = with_null({"schemas": schemas})
        paths = [path for document in documents for path in document["paths"].items()]
        self.paths = [(self.pattern(path), operations) for path, operations in paths]

    @staticmethod
    def pattern(path):
        return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))

    def operation(self, method, path):
        for pattern, operations in self.paths:
            if pattern.fullmatch(path) and method.lower() in operations:
                return operations[method.lower()]
        raise AssertionError(f"{method} {path} is not in the document")

    def validate(self, value, schema, what):
        schema = {**with_null(schema), "components": self.components}
        errors = Draft202012Validator(schema, format_checker=FORMATS).iter_errors(value)
        found = [f"{what}: {'/'.join(map(str, error.path))}: {error.message}" for error in errors]
        assert not found, "\n".join(found)

    def judge_answer(self, method, path, status, content_type, body):
        """An answer must have a documented status, and a body that fits its schema."""
        what = f"{method} {path} answered {status}"
        value = json.loads(body)
        assert content_type.startswith("application/json"), f"{what} with content type {content_type}"
        if status >= 400:
            # The document describes no errors; this is the shape that the client library reads.
            assert set(value) == {"code", "message", "more_info", "status"}, f"{what}: {value}"
            assert type(value["code"]) is int and value["status"] == status, f"{what}: {value}"
            assert value["more_info"].endswith(f"/{value['code']}"), f"{what}: {value}"
            return
        answers = self.operation(method, path)["responses"]
        assert str(status) in answers, f"{what}, which is not documented"
        schema = answers[str(status)]["content"]["application/json"]["schema"]
        self.validate(value, schema, what)
        for described, given in self.resources(schema, value):
            missing = described - set(given)
            assert not missing, f"{what} without {sorted(missing)}"

    def resources(self, schema, value):
        """Every documented object in an answer: the names it must have, and what was given."""
        if "$ref" in schema:
            schema = self.components["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        yield set(schema["properties"]), value
        for message in value.get("messages", []):
            yield from self.resources(schema["properties"]["messages"]["items"], message)

    def judge_request(self, method, target, content_type, body):
        """A request may only have documented parameters, with values that fit."""
        parts = urlsplit(target)
        operation = self.operation(method, parts.path)
        known = {given["name"]: given["schema"] for given in operation.get("parameters", []) if given["in"] == "query"}
        self.judge_fields(parts.query, known, f"query of {method} {parts.path}")
        if method == "POST":
            assert content_type == FORM, f"{method} {parts.path} is sent as {content_type}"
            schema = operation["requestBody"]["content"][FORM]["schema"]
            given = self.judge_fields(body, schema["properties"], f"form of {method} {parts.path}")
            missing = set(schema.get("required", [])) - given
            assert not missing, f"{method} {parts.path} lacks {sorted(missing)}"

    def judge_fields(self, text, known, what):
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), f"{what} repeats a name: {names}"
        for name, value in pairs:
            assert name in known, f"{what} has the undocumented {name}"
            whole = known[name].get("type") == "integer"
            self.validate(int(value) if whole else value, known[name], f"{name} in the {what}")
        return set(names)
