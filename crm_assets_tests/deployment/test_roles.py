"""The roles of `deploy/postgres/roles.sql`."""

import hashlib
import hmac
import re
from base64 import b64decode

import psycopg
import pytest

from crm_assets_tests.deployment.deployed import PASSWORDS, create_roles
from crm_assets_tests.lake_servers import LakeServers

pytestmark = pytest.mark.slow


def test_a_role_reaches_its_own_database_only(servers: LakeServers) -> None:
    create_roles(servers)
    with psycopg.connect(servers.dsn("postgres")) as connection:
        rights = connection.execute(
            "select rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls from pg_roles "
            "where rolname in ('dagster', 'lake') order by 1"
        ).fetchall()
        reached = connection.execute(
            "select rolname, datname from pg_roles, pg_database where rolname in ('dagster', 'lake') "
            "and datname in ('dagster', 'lake', 'postgres', 'template1') "
            "and has_database_privilege(rolname, datname, 'connect') order by 1"
        ).fetchall()
        stored: dict[str, str] = dict(connection.execute("select rolname, rolpassword from pg_authid").fetchall())
    assert rights == [(name, False, False, False, False, False) for name in ("dagster", "lake")]
    assert reached == [("dagster", "dagster"), ("lake", "lake")]
    assert is_of(PASSWORDS["DAGSTER_POSTGRES_PASSWORD"], stored["dagster"])
    assert is_of(PASSWORDS["LAKE_POSTGRES_PASSWORD"], stored["lake"])


def is_of(password: str, stored: str) -> bool:
    """Whether PostgreSQL's SCRAM secret is that of a password."""
    iterations, salt, stored_key = re.split(r"[:$]", stored.removeprefix("SCRAM-SHA-256$"))[:3]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), b64decode(salt), int(iterations))
    key = hmac.digest(salted, b"Client Key", "sha256")
    return b64decode(stored_key) == hashlib.sha256(key).digest()
