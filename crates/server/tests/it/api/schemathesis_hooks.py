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

FRESH = itertools.count()

schemathesis.openapi.format("e164", E164)
schemathesis.openapi.format("cursor", CURSORS)
schemathesis.openapi.format("place-cursor", PLACE_CURSORS)
schemathesis.openapi.format("http-url", HTTP_URLS)
schemathesis.openapi.format("webhook-url", WEBHOOK_URLS)
schemathesis.openapi.format("event-names", EVENT_NAMES)


@schemathesis.hook
def map_case(context, case):
    """A source's settings are its platform's to judge, and which fields a sample has depends on the event: right
    bodies have the usual ones."""
    body = case.body
    is_right = case.meta is None or case.meta.generation.mode.is_positive
    for field in ("settings", "set"):
        if is_right and isinstance(body, dict) and isinstance(body.get(field), dict):
            case.body = body = {**body, field: {}}
    if is_right and isinstance(case.body, dict):
        # So is the key of its API, and where that may be is the operator's to say.
        for name in ("platform_api_key", "platform_api_url"):
            case.body.pop(name, None)
    # A key that comes again is answered with a source that another scenario may have deleted since.
    if is_right and case.operation.label == "POST /v1/sources" and "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = f"fresh-{next(FRESH)}"
    return case
