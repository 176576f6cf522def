"""Secrets are masked in all spellings that other programs give them."""

import html
import io
import json
from base64 import b64encode
from urllib.parse import quote

import pytest
from psycopg.conninfo import make_conninfo

from crm_assets import masking
from crm_assets.masking import MaskedStream, masked
from crm_assets_tests.test_secrets import PASSWORDS


@pytest.mark.parametrize("password", [*PASSWORDS, "back\\ßlash", "tab\\\tlash", "back\\\\\N{GRINNING FACE}"])
def test_every_spelling_of_a_secret_is_masked(password: str) -> None:
    text = "\n".join(
        [
            f"a {password} b",
            f"https://me:{quote(password, safe='')}@host/",
            json.dumps({"key": password}),
            json.dumps({"key": password}).replace("/", "\\/"),
            repr([password]),
            b64encode(password.encode()).decode(),
            make_conninfo(password=password),
        ]
    )
    shown = masked(text, [password])
    for spelling in (password, quote(password, safe=""), json.dumps(password), b64encode(password.encode()).decode()):
        assert spelling not in shown
    assert shown.count(masking.MASK) == 7


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_secret_encoded_twice_or_with_others_is_masked(password: str) -> None:
    text = "\n".join(
        [
            quote(quote(password, safe="")),
            json.dumps(json.dumps({"key": password})),
            json.dumps(password).replace("\\u00fc", "\\u00FC").replace("&", "\\u0026").replace("<", "\\u003c"),
            html.escape(password).replace("&#x27;", "&#39;"),
            repr(repr(password.encode())),
            password.replace('"', '""').replace("'", "''"),
            f"{password.strip()}\n",
        ]
    )
    assert masked(text, [f"{password}\n"]).count(masking.MASK) == 7


LONG = "Hush+4711/x&y?~"


@pytest.mark.parametrize("before", ["", "me", "me:", "you:"])
@pytest.mark.parametrize("after", ["", "x", ":x"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_secret_within_base64_is_masked(before: str, after: str, encoding: str) -> None:
    encoded = b64encode(f"{before}{LONG}{after}".encode(encoding)).decode()

    for spelled in (encoded, encoded.replace("/", "\\/"), encoded.replace("+", "-").replace("/", "_")):
        assert masking.MASK in masked(f"Basic {spelled}", [LONG])


@pytest.mark.parametrize("secret", ["a5-secret", "Hush+4711/x&y?~", "\u00fcmlaut"])
def test_a_secret_in_hex_is_masked(secret: str) -> None:
    encoded = secret.encode().hex()
    assert masked(f"{encoded} x{encoded.upper()}x", [secret]) == "*** x***x"


def test_only_a_secret_of_hex_digits_is_masked_in_other_case() -> None:
    uuid, other = "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "warehouse"
    assert masked(f"{uuid.upper()} CRM_WAREHOUSE", [uuid, other]) == "*** CRM_WAREHOUSE"


@pytest.mark.parametrize("before", ["=", "%3D", "%253d", "\\u003d", "\\x3d", "\\n", "\\\\u003D"])
def test_short_secret_after_an_escaped_character_is_masked(before: str) -> None:
    assert masked(f"key{before}ab47&x", ["ab47"]) == f"key{before}***&x"


def test_short_secrets_leave_ordinary_words_as_they_are() -> None:
    assert masked("a rest of the interest, at rest_api", ["a", "the", "rest"]) == "a *** of the interest, at rest_api"


@pytest.mark.parametrize("password", ['"quoted&secret"', "\\&secret"])
def test_time_of_masking_grows_with_the_text_only(password: str) -> None:
    """With the square of it, these would take longer than a test may."""
    text = "\\" * 500_000 + "end"
    assert masked(text, [password]) == text


def test_masked_stream_ends_quietly_after_the_one_it_writes_to() -> None:
    target = io.StringIO()
    stream = MaskedStream(target)
    target.close()
    stream.close()
