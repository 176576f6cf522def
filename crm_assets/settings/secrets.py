"""Finds the secrets within settings, and what of an address may be shown: host, port, database, user, path."""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from crm_assets.settings.documents import from_json

SECRET_NAME = re.compile(
    r"key(?!word)|token|secret|pass(?:w|$)|pwd|jwt|cred|(?<![a-z])(auth|sig|session)(?![a-z])", re.IGNORECASE
)
"""Names of parameters that hold secrets. Others do if their value looks random."""

SECRET_VARIABLE = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY)$", re.IGNORECASE)
NO_SECRET = re.compile(r"true|false|none|null|\d{,7}", re.IGNORECASE)
"""Values of variables such as `ALLOW_EMPTY_PASSWORD`, and words of JSON; numbers, since figures would be masked."""

PROXY_VARIABLE = re.compile(r"(http|https|all)_proxy$|AWS_ENDPOINT_URL", re.IGNORECASE)

RANDOM = re.compile(r"(?=[^/]*[A-Za-z])(?=[^/]*\d)[\w.+=~-]{16,}")
"""A text that looks random: long, with letters and digits."""

PLAIN = re.compile(r"[\w.,:$-]*")
"""A part of an address that cannot be the rest of a password."""

WORD = re.compile(r"[\s=:,;\"']+")
LONG = 8

ORDINARY = re.compile(r"[A-Za-z]?[a-z_-]{,14}")
"""A word such as localhost or alerts. Masked, it would be missing from all texts; tokens have digits or capitals."""

POSTGRES_SHOWN = ("host", "hostaddr", "port", "dbname", "user")


@dataclass(frozen=True)
class Address:
    """An address, taken apart.

    Attributes:
        shown: The address without secrets, for messages.
        secrets: Its secrets.
        problem: Why it cannot be parsed; empty if it can.
    """

    shown: str
    secrets: frozenset[str] = frozenset()
    problem: str = ""


def url(text: str) -> Address:
    """A URL, without user, password, parameters and whatever in its path looks random."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return Address(text)
    query = rest.partition("?")[2]
    secrets = {value for _, value in parse_qsl(query, keep_blank_values=True)}
    secrets |= {value.partition("=")[2] for value in re.split("[&;]", query)}
    for userinfo in {rest.partition("@")[0], rest.rpartition("@")[0]} if "@" in rest else ():
        password = userinfo.partition(":")[2]
        secrets |= {password, unquote(password), *({userinfo} if password else ())}
    try:
        parts = urlsplit(text)
        secrets |= set(RANDOM.findall(parts.path))
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
        # What follows a slash may be the rest of a password, in which it has to be written as %2F.
        is_url = "@" not in parts.path and PLAIN.fullmatch(host.strip("[]"))
    except ValueError:
        is_url = None
    if not is_url:
        return Address(f"{scheme}://***", frozenset(secrets), "is not a URL")
    return Address(f"{scheme}://{host}{port}{path(parts.path)}", frozenset(secrets))


def path(text: str) -> str:
    """A path without parameters, and without what looks random."""
    return RANDOM.sub("***", re.split("[?#;]", text)[0])


def postgres(text: str) -> Address:
    """A connection string of PostgreSQL: only host, port, database and user are shown."""
    try:
        # An optional dependency: only a lake needs it.
        from psycopg import Error
        from psycopg.pq import Conninfo
    except ImportError:
        return Address("***")
    try:
        options = {o.keyword.decode(): (o.val.decode(), o.dispchar) for o in Conninfo.parse(text.encode()) if o.val}
    except (Error, UnicodeDecodeError):
        # Nothing is known of the text: what follows the first password's name may be a secret.
        values = re.split(r"\w*(?:pass|pwd)\w*\s*=", text, flags=re.IGNORECASE)[1:]
        secrets = {text, *values, *(word for value in values for word in value.split())} | url(text).secrets
        return Address("***", frozenset(secrets), "cannot be parsed")
    shown = {key: options[key][0] for key in POSTGRES_SHOWN if key in options}
    secrets = {value for value, display in options.values() if display == b"*"} | url(text.partition("?")[0]).secrets
    if "://" in text and not all(PLAIN.fullmatch(value) or value.startswith("/") for value in shown.values()):
        return Address("***", frozenset({text, *secrets}), "has a password with characters that must be encoded")
    listed = [f"{key}={value if PLAIN.fullmatch(value) or key == 'host' else '***'}" for key, value in shown.items()]
    secrets |= {text} if secrets or "***" in " ".join(listed) else set()  # of two passwords, the last one is known
    return Address(" ".join(listed), frozenset(secrets))


def warehouse(text: str) -> Address:
    """`CRM_WAREHOUSE` or `CRM_WAREHOUSE_FILES`: a path, `ducklake:…`, `md:…`, or a URL."""
    if text.startswith("md:"):
        name, _, options = text.partition("?")
        return Address(name, frozenset(option.partition("=")[2] for option in options.split("&")))
    kind = next(kind for kind in ("ducklake:postgres:", "ducklake:", "") if text.startswith(kind))
    found = (postgres if kind == "ducklake:postgres:" else url)(text.removeprefix(kind))
    return replace(found, shown=f"{kind}{found.shown}")


DIGEST = "sha256:"


def with_digest(text: str, shown: str = "") -> str:
    """What is shown of a text. If that is not all, a digest is added, so that equal texts stay equal."""
    if text.lower() == shown.lower() or DIGEST in text:
        return text
    return f"{shown} {DIGEST}{sha256(text.encode()).hexdigest()[:16]}".lstrip()


def is_secret(name: str, value: Any) -> bool:
    """Whether a query parameter holds a secret, by its name or its value."""
    return bool(SECRET_NAME.search(name) or RANDOM.search(str(value)))


def secrets_in(values: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    """All secrets in settings as they were given, and in variables of other programs."""
    yield from key_secrets(str(values.get("api_key", "")))
    yield str(values.get("personal_data_key", ""))
    for name in values.keys() - {"api_key", "notify", "endpoints"}:  # any other can be an address, by mistake at least
        yield from warehouse(str(values[name])).secrets
    for address in addresses_in(str(values.get("notify", ""))):
        options = parse_qsl(address.partition("?")[2])
        words = {text for name, text in options if ORDINARY.fullmatch(text) and not SECRET_NAME.search(name)}
        yield from (address, *(url(address).secrets - words), *RANDOM.findall(address.rpartition("@")[0]))
        parts = re.split(r"[/@:?&=]+", address.partition("://")[2])
        yield from (p for p in parts if len(p) >= LONG and "." not in p and not ORDINARY.fullmatch(p))
    endpoints = _table(values, "endpoints")
    for endpoint in (_table(endpoints, resource) for resource in endpoints):
        params = _table(endpoint, "params")
        yield from (str(value) for name, value in params.items() if is_secret(name, value))
        where = str(endpoint.get("path", ""))
        _, *queries = re.split("[?;]", where)
        yield from (value for query in queries for _, value in parse_qsl(query))
        yield from RANDOM.findall(where)
    for name, value in environment.items():
        if SECRET_VARIABLE.search(name) and not NO_SECRET.fullmatch(value):
            yield value
        elif PROXY_VARIABLE.search(name):
            yield from url(value if "://" in value else f"http://{value}").secrets


def _table(within: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A table within another, which may be given as JSON; empty if there is none."""
    found = from_json(within.get(name))
    return found if isinstance(found, Mapping) else {}


def addresses_in(text: str) -> list[str]:
    """The addresses in `CRM_NOTIFY`, which are separated by commas or blanks."""
    return re.split(r"[\s,]+(?=[a-zA-Z][a-zA-Z0-9+.-]*://)", text.strip())


def key_secrets(key: str) -> Iterator[str]:
    """A key; the parts of one such as `Token token=KEY`; the password in one of basic authentication."""
    yield key.strip("\r\n")
    words = [word for word in WORD.split(key) if word]
    yield from (word for word in words if len(word) >= LONG or word is words[-1])
    kind, _, encoded = key.strip().partition(" ")
    if kind.lower() == "basic":
        encoded = encoded.strip(" =")
        try:
            padded = encoded + "=" * (-len(encoded) % 4)  # which some servers do without
            user, _, password = b64decode(padded, validate=True).decode().partition(":")
        except ValueError:
            return
        yield from (password, f"{user}:{password}")
