"""Tickets: a reference that only we can sign and anyone with the public key can check, and its QR code.

A reference reads `OB1.<payload>.<signature>`, both parts base64url without padding: the payload is the booking's and
the event's id (32 bytes), the signature is Ed25519 over everything before the second dot. It proves that a booking was
made, not that it still stands; whoever checks tickets at a door also looks the booking up.
"""

from __future__ import annotations

import base64
import io
import re
from uuid import UUID

import msgspec
import segno
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = "OB1"
_KEY_PURPOSE = b"overbookr ticket v1"
_REFERENCE = re.compile(rf"({_VERSION}\.([A-Za-z0-9_-]{{43}}))\.([A-Za-z0-9_-]{{86}})")

# Trying all eight masks is four fifths of the work of making a code, and only matters for regular data; what is drawn
# here is mostly a signature, which is as good as random. Every reader accepts any mask.
_MASK = 3
_ERROR_LEVEL = "m"
_PIXELS_PER_MODULE = 4
_QUIET_ZONE_MODULES = 4


class Reference(msgspec.Struct, frozen=True):
    booking_id: UUID
    event_id: UUID


def derive_ticket_key(secret: bytes) -> Ed25519PrivateKey:
    """The signing key that belongs to the installation's secret; another purpose gets another, unrelated key."""
    seed = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_KEY_PURPOSE).derive(secret)
    return Ed25519PrivateKey.from_private_bytes(seed)


def sign_reference(key: Ed25519PrivateKey, booking_id: UUID, event_id: UUID) -> str:
    """134 characters that are safe in URLs and QR codes; the same ids give the same text each time."""
    signed = f"{_VERSION}.{_encoded(booking_id.bytes + event_id.bytes)}"
    return f"{signed}.{_encoded(key.sign(signed.encode('ascii')))}"


def verify_reference(public_key: Ed25519PublicKey, text: str) -> Reference | None:
    """What the reference names, or None for anything that was not signed exactly so. Takes any text."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return None
    payload, signature = _decoded(match[2]), _decoded(match[3])
    # The last character of a part has spare bits; without this check several texts would pass as the same ticket.
    if _encoded(payload) != match[2] or _encoded(signature) != match[3]:
        return None
    try:
        public_key.verify(signature, match[1].encode("ascii"))
    except InvalidSignature:
        return None
    return Reference(booking_id=UUID(bytes=payload[:16]), event_id=UUID(bytes=payload[16:]))


def qr_png(text: str) -> bytes:
    """The text as a black and white PNG; a ticket reference gives 228 by 228 pixels and about 650 bytes."""
    code = segno.make_qr(text, error=_ERROR_LEVEL, boost_error=False, mask=_MASK)
    image = io.BytesIO()
    code.save(image, kind="png", scale=_PIXELS_PER_MODULE, border=_QUIET_ZONE_MODULES)
    return image.getvalue()


def qr_svg(text: str) -> bytes:
    """The same as a drawing that is sharp at every size, black on white whatever is around it."""
    code = segno.make_qr(text, error=_ERROR_LEVEL, boost_error=False, mask=_MASK)
    drawing = io.BytesIO()
    code.save(drawing, kind="svg", border=_QUIET_ZONE_MODULES, light="#fff", omitsize=True, xmldecl=False)
    return drawing.getvalue()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
