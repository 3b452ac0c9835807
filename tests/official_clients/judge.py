"""Judges Dunlin's two sides of the provider's HTTP with the provider's own client library.

Usage: judge.py CLAIM [BASE_URL ACCOUNT_SID AUTH_TOKEN]; exits with 1 and says why when the claim does not hold.
"""

import json
import sys
import time
from datetime import date, timedelta
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from twilio.base.exceptions import TwilioRestException

from callbacks import Listener
from contract import Contract
from loopback import connect
from signatures import vectors

FROM = "+15005550006"
SERVICE = "MG0123456789abcdef0123456789abcdef"
VERIFY = "VA0123456789abcdef0123456789abcdef"
UNKNOWN = "SM00000000000000000000000000000000"
PATIENCE = 10  # seconds
# No proxy of the environment comes between.
OPENER = build_opener(ProxyHandler({}))


def equal(given, wanted, what):
    assert given == wanted, f"{what}: {given!r} is not {wanted!r}"


def refused(call, status, code):
    """The client library must raise this HTTP status and code."""
    try:
        call()
    except TwilioRestException as error:
        equal((error.status, error.code), (status, code), str(error))
        return
    raise AssertionError(f"nothing was refused where {status} and {code} are due")


def eventually(look, wanted, what):
    deadline = time.monotonic() + PATIENCE
    while (seen := look()) != wanted:
        assert time.monotonic() < deadline, f"{what}: still {seen!r}, not {wanted!r}"
        time.sleep(0.01)


def created_messages_can_be_fetched(client):
    for sender in ({"from_": FROM}, {"messaging_service_sid": SERVICE}, {"from_": FROM, "messaging_service_sid": SERVICE}):
        for body in ("Your table is ready.", "Votre café, 10 € 👋 \n", "a" * 1600, "{=100%&+"):
            made = client.messages.create(to="+14155550100", body=body, validity_period=600, **sender)
            equal(made.status, "queued" if "from_" in sender else "accepted", "first status")
            equal((made.to, made.from_, made.body), ("+14155550100", sender.get("from_"), body), "created")
            equal(made.messaging_service_sid, sender.get("messaging_service_sid"), "service")
            eventually(lambda: client.messages(made.sid).fetch().status, "delivered", "fetched status")
            found = client.messages(made.sid).fetch()
            equal((found.sid, found.body, found.direction), (made.sid, body, "outbound-api"), "fetched")
            assert found.date_created <= found.date_sent <= found.date_updated, "dates are out of order"


def failures_carry_their_code(client):
    for to, status, code in (("+15005551003", "undelivered", 30003), ("+15005551001", "failed", 30001)):
        made = client.messages.create(to=to, from_=FROM, body="Hello")
        eventually(lambda: client.messages(made.sid).fetch().status, status, to)
        equal(client.messages(made.sid).fetch().error_code, code, to)


def lists_are_filtered_and_paged(client):
    to, other = "+14155550101", "+14155550102"
    made = [client.messages.create(to=to, from_=FROM, body=f"Text {n}").sid for n in range(25)]
    client.messages.create(to=other, from_=FROM, body="Another")
    newest_first = made[::-1]

    def listed(**filters):
        return [message.sid for message in client.messages.list(to=to, **filters)]

    for page_size in (1, 7, 24, 25, 26, 1000):
        equal(listed(page_size=page_size), newest_first, f"pages of {page_size}")
    equal(listed(limit=3), newest_first[:3], "the first three")
    equal(listed(from_=FROM), newest_first, "by sender")
    equal(listed(from_=other), [], "by another sender")
    assert made[0] in [message.sid for message in client.messages.list()], "the list of everything lacks one"
    page = client.messages.page(to=to, page_size=10)
    page = page.next_page()
    equal([message.sid for message in page], newest_first[10:20], "second page")
    equal([message.sid for message in page.previous_page()], newest_first[:10], "back to the first page")

    eventually(lambda: {client.messages(sid).fetch().status for sid in made}, {"delivered"}, "all are sent")
    sent = [message.date_sent for message in client.messages.list(to=to)]
    first, last = min(sent), max(sent)
    second, day = timedelta(seconds=1), timedelta(days=1)
    equal(set(listed(date_sent=first.date()) + listed(date_sent=last.date())), set(made), "on the day")
    equal(listed(date_sent=first.date() - day), [], "on the day before")
    equal(listed(date_sent=date(2020, 2, 29)), [], "on a leap day")
    equal(listed(date_sent_after=first), newest_first, "since the first")
    equal(listed(date_sent_after=last + second), [], "after the last")
    equal(listed(date_sent_before=last + second), newest_first, "until the last")
    equal(listed(date_sent_before=first - second), [], "before the first")
    equal(listed(date_sent_after=first, date_sent_before=last + second, page_size=4), newest_first, "between, in pages")


def refusals_surface_with_their_code(client, base_url, account_sid):
    def create(**fields):
        return lambda: client.messages.create(**{"to": "+14155550103", "from_": FROM, "body": "Hello", **fields})

    before = len(client.messages.list())
    for to, code in (("1", 21211), ("2", 21612), ("3", 21408), ("4", 21610), ("9", 21614)):
        refused(create(to=f"+1500555000{to}"), 400, code)
    refused(create(to="not a number"), 400, 21211)
    for sender, code in (("1", 21212), ("7", 21606), ("8", 21611)):
        refused(create(from_=f"+1500555000{sender}"), 400, code)
    refused(create(to=""), 400, 21604)
    refused(create(from_=None), 400, 21603)
    refused(create(body=None), 400, 21602)
    refused(create(body="a" * 1601), 400, 21617)
    refused(create(status_callback="nowhere"), 400, 21609)
    refused(client.messages(UNKNOWN).fetch, 404, 20404)
    refused(lambda: client.messages(UNKNOWN).update(status="canceled"), 404, 20404)
    equal(len(client.messages.list()), before, "messages after refusals")
    for account, token in ((account_sid, "wrong"), ("AC" + "f" * 32, "wrong")):
        stranger = connect(base_url, account, token)
        refused(lambda: stranger.messages.create(to="+14155550103", from_=FROM, body="Hello"), 401, 20003)
        refused(stranger.messages(UNKNOWN).fetch, 401, 20003)


def a_held_message_can_be_canceled_once_and_redacted(client):
    """The carrier must take its time, so that there is something to cancel."""
    made = client.messages.create(to="+14155550104", from_=FROM, body="Too early")
    equal(client.messages(made.sid).fetch().date_sent, None, "sent while queued")
    equal(client.messages(made.sid).update(status="canceled").status, "canceled", "answer")
    equal(client.messages(made.sid).fetch().status, "canceled", "afterwards")
    refused(lambda: client.messages(made.sid).update(status="canceled"), 400, 30409)
    equal(client.messages(made.sid).update(body="").body, "", "redacted")


def numbers_are_proven(client, base_url):
    service = client.verify.v2.services(VERIFY)
    for right_after in (0, 4):
        to = f"+1415555010{right_after}"
        started = service.verifications.create(to=to, channel="sms")
        equal((started.status, started.to, started.valid), ("pending", to, False), "started")
        equal(service.verifications.create(to=to, channel="sms").sid, started.sid, "asked again")
        code = json.loads(OPENER.open(f"{base_url}/sandbox/codes").read())[0]["code"]
        wrong = "000001" if code == "000000" else "000000"
        for _ in range(right_after):
            equal(service.verification_checks.create(to=to, code=wrong).status, "pending", "a wrong code")
        equal(service.verification_checks.create(verification_sid=started.sid, code=code).status, "approved", "the code")
        equal(service.verifications(started.sid).fetch().status, "approved", "afterwards")
        refused(lambda: service.verification_checks.create(to=to, code=code), 404, 20404)
    to = "+14155550109"
    sid = service.verifications.create(to=to, channel="sms").sid
    for _ in range(5):
        service.verification_checks.create(to=to, code="0000000")
    refused(lambda: service.verification_checks.create(to=to, code="0000000"), 429, 60202)
    equal(service.verifications(sid).fetch().status, "max_attempts_reached", "after five wrong codes")
    for to, status, code in (("+15005550001", 400, 60200), ("+15005550009", 403, 60205), ("+15005550004", 403, 60410)):
        refused(lambda: service.verifications.create(to=to, channel="sms"), status, code)


def a_creation_meets(client, status, code):
    refused(lambda: client.messages.create(to="+14155550106", from_=FROM, body="Hello"), status, code)
    equal(client.messages.list(), [], "messages afterwards")


def callbacks_are_signed(client, auth_token):
    with Listener() as listener:
        wanted = {}
        for number in range(40):
            query = ("", "?t=a%2Bb&x=%F0%9F%91%8B", "?empty=&same=1&same=1", "?t='#rc=2&rp=all")[number % 4]
            to, last, code = (
                ("+14155550105", "delivered", None),
                ("+15005551003", "undelivered", "30003"),
                ("+15005551010", "failed", "21610"),
            )[number % 3]
            sender = {"from_": FROM} if number % 2 else {"messaging_service_sid": SERVICE}
            made = client.messages.create(to=to, body="Hi 👋", status_callback=listener.url("/status" + query), **sender)
            steps = [] if last == "failed" else [("sent", None)]
            wanted[made.sid] = ("/status" + query.split("#")[0], to, [*steps, (last, code)])
        due = sum(len(steps) for _, _, steps in wanted.values())
        eventually(lambda: len(listener.taken), due, "callbacks")
        for sid, (target, to, steps) in wanted.items():
            taken = [callback for callback in listener.taken if callback.field("MessageSid") == sid]
            equal([(callback.field("MessageStatus"), callback.field("ErrorCode")) for callback in taken], steps, sid)
            for callback in taken:
                equal((callback.target, callback.field("To")), (target, to), "addressed")
                equal(callback.field("AccountSid"), client.account_sid, "account")
                assert callback.is_signed(auth_token), f"the library refuses {callback}"
                assert not callback.is_signed("another token"), f"any token signs {callback}"


def texts_are_signed(base_url, account_sid, auth_token):
    with Listener() as listener:
        for words in ("STOP", " Héllo 👋 a+b&c=d \n", ""):
            form = {"url": listener.url("/inbound?x=%2B1"), "From": "+14155550105", "To": FROM, "Body": words}
            body = urlencode(form).encode()
            with OPENER.open(f"{base_url}/sandbox/inbound", body, timeout=PATIENCE) as answer:
                told = json.load(answer)
            equal(told["status"], 204, "the listener's answer")
            text = listener.taken[-1]
            equal((text.field("MessageSid"), text.field("Body")), (told["sid"], words), "what was written")
            equal((text.field("AccountSid"), text.field("SmsStatus")), (account_sid, "received"), "fixed fields")
            assert text.is_signed(auth_token), f"the library refuses {text}"
            assert not text.is_signed("another token"), f"any token signs {text}"


def requests_are_as_documented():
    """Judges requests given on standard input, one JSON object a line."""
    contract = Contract()
    judged = 0
    for line in sys.stdin:
        request = json.loads(line)
        contract.judge_request(request["method"], request["target"], request["content_type"], request["body"])
        judged += 1
    assert judged > 0, "there were no requests"


def main(claim, *account):
    if claim == "requests":
        return requests_are_as_documented()
    if claim == "texts":
        return texts_are_signed(*account)
    if claim == "signatures":
        for vector in vectors(int(account[0])):
            print(json.dumps(vector))
        return None
    base_url, account_sid, auth_token = account
    client = connect(base_url, account_sid, auth_token)
    if claim == "messages":
        created_messages_can_be_fetched(client)
        failures_carry_their_code(client)
        lists_are_filtered_and_paged(client)
    elif claim == "refusals":
        refusals_surface_with_their_code(client, base_url, account_sid)
    elif claim == "cancel":
        a_held_message_can_be_canceled_once_and_redacted(client)
    elif claim == "verifications":
        numbers_are_proven(client, base_url)
    elif claim == "busy":
        a_creation_meets(client, 429, 20429)
    elif claim == "broken":
        a_creation_meets(client, 500, 20500)
    elif claim == "callbacks":
        callbacks_are_signed(client, auth_token)
    else:
        raise AssertionError(f"{claim} is not a claim")
    assert client.http_client.judged > 0, "no answer was judged"
    return None


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except AssertionError as surprise:
        sys.exit(f"{sys.argv[1]}: {surprise}")
