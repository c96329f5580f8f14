"""What Python's email package sees of messages: on standard input a JSON array of {"octets": base64}, and on standard output an array
of what people see of each."""

import base64
import hashlib
import json
import sys
from email import message_from_bytes, message_from_string
from email.header import decode_header, make_header
from email.policy import SMTPUTF8
from email.utils import getaddresses


def words(text):
    # By the older part of the package: the newer one puts a space between a name's encoded words (RFC 2047 section 6.2 forbids it).
    return str(make_header(decode_header(text)))


def people(message, field):
    return [[words(name), address] for name, address in getaddresses(message.get_all(field, []))]


def seen(octets):
    # As text, because Python takes octets above 127 in a header for an unknown charset's.
    text = octets.decode("utf-8", "surrogateescape")
    message = message_from_string(text)
    parts = [part for part in message_from_string(text, policy=SMTPUTF8).walk() if not part.is_multipart()]
    stored = [part for part in message_from_bytes(octets).walk() if not part.is_multipart()]
    return {
        "subject": words("".join(message.get("subject", "").splitlines())),
        "from": people(message, "from"),
        "to": people(message, "to"),
        "files": [part.get_filename() for part in parts],
        "types": [part.get_content_type() for part in parts],
        "bodies": [hashlib.sha256(part.get_payload(decode=True) or b"").hexdigest() for part in stored],
    }


json.dump([seen(base64.b64decode(each["octets"])) for each in json.load(sys.stdin)], sys.stdout)
