# What Python's email package reads in messages' headers and their parts' headers. Reads a JSON list of messages in base64 from
# standard input; writes for each a list of entities, each a list of [name, what people and programs see of the field].
import base64
import email
import email.header
import email.headerregistry
import email.policy
import email.utils
import json
import sys

ADDRESS_FIELDS = {"from", "to", "cc", "sender", "reply-to"}


def seen(name, field):
    # By the older functions: in Python 3.11 those of email.policy take the space between two encoded words for one of the phrase.
    if name in ADDRESS_FIELDS:
        return [
            [str(email.header.make_header(email.header.decode_header(phrase))), address]
            for phrase, address in email.utils.getaddresses([field])
        ]
    if isinstance(field, email.headerregistry.ParameterizedMIMEHeader):
        value = getattr(field, "content_type", None) or getattr(field, "content_disposition", None)
        return [value, sorted([name.lower(), value] for name, value in field.params.items())]
    return " ".join(str(field).split())


def entities(octets):
    # Python takes headers in UTF-8 only in text; from octets it decodes the unstructured ones alone.
    try:
        message = email.message_from_string(octets.decode(), policy=email.policy.default)
    except UnicodeDecodeError:
        message = email.message_from_bytes(octets, policy=email.policy.default)
    read = []
    for part in message.walk():
        raw = list(part.raw_items())
        fields = [[name.lower(), "".join(str(value).splitlines()) if name.lower() in ADDRESS_FIELDS else field]
                  for (name, value), field in zip(raw, part.values())]
        read.append([[name, seen(name, field)] for name, field in fields])
    return read


json.dump([entities(base64.b64decode(octets)) for octets in json.load(sys.stdin)], sys.stdout)
