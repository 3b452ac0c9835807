"""Requests signed by the provider's own library."""

import hashlib
import random
from urllib.parse import quote, quote_plus, urlsplit

from twilio.request_validator import RequestValidator, add_port, remove_port

COUNT = 400
LETTERS = "abzAZ019 _-.~+&=%'\"/?#:@;,\\\n\r\tàéñ€日本👋🏽\u200d\u0301\ufeff"
NAMES = ["Body", "From", "To", "body", "Bod", "Body2", "MessageSid", "é", "👋", "a b", "x=y", "X&", ""]


class Params(dict):
    """Names with several values, as web frameworks give them to the library."""

    def getlist(self, name):
        return self[name]


def text(draw, most):
    return "".join(draw.choice(LETTERS) for _ in range(draw.randint(0, most)))


def address(draw):
    scheme = draw.choice(["https", "http"])
    user = draw.choice(["", "", "", "user@", "user:pass@"])
    # The library loses the host when it removes a port behind a password.
    port = "" if user else draw.choice(["", "", ":443", ":80", ":8443", ":1"])
    path = quote(text(draw, 6)) if draw.random() < 0.8 else draw.choice(["ünï/👋", "a//b", "it's"])
    pairs = [f"{quote_plus(text(draw, 4))}={quote_plus(text(draw, 8))}" for _ in range(draw.randint(0, 3))]
    query = "?" + "&".join(pairs) if pairs else ""
    return f"{scheme}://{user}sms.example.com{port}/{path}{query}"


def form(draw):
    params = Params()
    for _ in range(draw.randint(0, 8)):
        values = params.setdefault(draw.choice(NAMES), [])
        values.extend(draw.choice(["", text(draw, 12)]) for _ in range(draw.randint(1, 3)))
        values.extend(draw.choices(values, k=draw.randint(0, 2)))
    pairs = [(name, value) for name, values in params.items() for value in values]
    draw.shuffle(pairs)
    return params, "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)


def vectors(seed):
    draw = random.Random(seed)
    for number in range(COUNT):
        token = "".join(draw.choices("0123456789abcdef", k=32))
        library = RequestValidator(token)
        url = address(draw)
        is_form = number % 8 != 0
        if is_form:
            params, body = form(draw)
        else:
            params, body = None, '{"text": "' + text(draw, 20) + '"}'
            digest = hashlib.sha256(body.encode()).hexdigest()
            url += ("&" if "?" in url else "?") + "bodySHA256=" + digest
        parts = urlsplit(url)
        signed = url
        if "@" not in url:
            signed = draw.choice([url, add_port(parts), remove_port(parts)])
        signature = library.compute_signature(signed, params)
        if is_form and "@" not in url:
            assert library.validate(url, params, signature), f"the library refuses its own signature of {url}"
        yield {"token": token, "url": url, "body": body, "is_form": is_form, "signature": signature}
