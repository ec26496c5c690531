"""What Schemathesis cannot know: the formats of ours, and what a platform takes for settings."""

import base64
import itertools
import os
import re

import schemathesis
from hypothesis import strategies as st

E164 = st.from_regex(r"\+1415555[0-9]{4}", fullmatch=True)

CURSORS = st.integers(min_value=0, max_value=999_999).map(
    lambda micros: base64.urlsafe_b64encode(
        b'{"created_at":"2026-02-24T21:00:00.%06dZ"}' % micros
    )
    .rstrip(b"=")
    .decode()
)

PLACE_CURSORS = st.integers(min_value=0, max_value=999_999).map(
    lambda micros: base64.urlsafe_b64encode(
        b'{"created_at":"2026-02-24T21:00:00.%06dZ","id":"0197a3c4-0000-7000-8000-%012d"}'
        % (micros, micros)
    )
    .rstrip(b"=")
    .decode()
)

HTTP_URLS = st.from_regex(r"https?://[a-z]{1,10}\.example/[a-z0-9]{0,10}", fullmatch=True)

RECEIVER = re.escape(os.environ["INBOUNDFLOW_TEST_RECEIVER"])
WEBHOOK_URLS = st.from_regex(RECEIVER + "/[a-z0-9]{0,10}", fullmatch=True)

EVENT_NAMES = st.lists(
    st.sampled_from(["call.completed", "call.transferred", "appointment.booked", "lead.created"]),
    min_size=1,
    max_size=4,
).map(",".join)

schemathesis.openapi.format("e164", E164)
schemathesis.openapi.format("cursor", CURSORS)
schemathesis.openapi.format("place-cursor", PLACE_CURSORS)
schemathesis.openapi.format("http-url", HTTP_URLS)
schemathesis.openapi.format("webhook-url", WEBHOOK_URLS)
schemathesis.openapi.format("event-names", EVENT_NAMES)
schemathesis.openapi.format("time-zone", st.sampled_from(["America/Los_Angeles", "Europe/Berlin", "UTC"]))
# Any other tag is of another version, which is 412.
schemathesis.openapi.format("entity-tag", st.just("*"))

# What is right or wrong by the records that are there, by the platform, or by what the operator allows.
BY_OTHERS = ("call_id", "contact_id", "lead_id", "ends_at", "platform_api_key", "platform_api_url")


# A key that comes again brings the first answer again, also where what it made was deleted meanwhile: which looks like
# a record that is not there after it was made. That keys work is tested elsewhere.
KEYS = itertools.count()


@schemathesis.hook
def map_case(context, case):
    """A source's settings are its platform's to judge, and which fields a sample has depends on the event: right
    bodies have the usual ones. And they name no records that are not there."""
    body = case.body
    is_right = case.meta is None or case.meta.generation.mode.is_positive
    if is_right and case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"key-{next(KEYS)}"
    if not is_right or not isinstance(body, dict):
        return case
    # Filters name assistants that are not there, and longest durations below the shortest.
    for field in ("settings", "set", "filters", "headers"):
        if isinstance(body.get(field), dict):
            body = {**body, field: {}}
    case.body = {name: value for name, value in body.items() if name not in BY_OTHERS}
    return case
