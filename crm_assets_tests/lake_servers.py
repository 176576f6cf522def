"""The servers of a lake: PostgreSQL for its catalog and an S3 server for its data."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import requests

from crm_assets_tests.waiting import eventually

BUCKET = "crm"
HOST = "127.0.0.1"

END_SESSIONS = signal.SIGINT
"""Ends PostgreSQL without waiting for its clients: after an error, DuckDB keeps a session open for ninety seconds."""


def postgres_folder() -> Path | None:
    """Where PostgreSQL's programs are; None where it is not installed. Debian does not put them on the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


def dsn_of(address: str) -> str:
    """The connection string in the address of a lake."""
    return address.removeprefix("ducklake:postgres:")


@dataclass(frozen=True)
class LakeServers:
    """Two servers on this machine."""

    postgres_port: int
    s3_port: int

    def dsn(self, database: str) -> str:
        """How to connect to a database."""
        return f"host={HOST} port={self.postgres_port} user=crm dbname={database}"

    def new_database(self) -> str:
        """The name of an empty database."""
        name = f"crm_{uuid4().hex}"
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name}")
        return name

    def dagster_storage(self, database: str) -> str:
        """The section of a `dagster.yaml` that keeps Dagster's storage in a database."""
        url = f"postgresql+psycopg2://crm@{HOST}:{self.postgres_port}/{database}"
        return f"storage: {{postgres: {{postgres_url: {url}}}}}\n"

    def new_lake(self) -> dict[str, str]:
        """The settings of a lake that nothing was written to yet."""
        name = self.new_database()
        return {
            "CRM_WAREHOUSE": f"ducklake:postgres:{self.dsn(name)}",
            "CRM_WAREHOUSE_FILES": f"s3://{BUCKET}/{name}",
            "AWS_ENDPOINT_URL": f"http://{HOST}:{self.s3_port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }


@contextmanager
def lake_servers() -> Iterator[LakeServers]:
    """Both servers, until the body ends.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    programs = postgres_folder()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    servers = LakeServers(free_port(), free_port())
    folder = Path(tempfile.mkdtemp(prefix="crm_lake_", dir="/tmp"))  # short: a socket's path has a limit
    started: list[subprocess.Popen[bytes]] = []
    try:
        user = unprivileged(folder)
        initdb = [str(programs / "initdb"), "--pgdata", str(folder / "pg"), "--username", "crm", "--auth", "trust"]
        subprocess.run([*initdb, "--no-sync", "--encoding", "UTF8"], check=True, stdout=subprocess.DEVNULL, **user)
        options = {
            "port": servers.postgres_port,
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "300",  # benchmarks/many_crms.py
        }
        arguments = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            started.append(
                subprocess.Popen([str(programs / "postgres"), "-D", str(folder / "pg"), *arguments], stderr=log, **user)
            )
            s3 = [str(Path(sys.executable).with_name("moto_server")), "-H", HOST, "-p", str(servers.s3_port)]
            started.append(subprocess.Popen(s3, stdout=log, stderr=log))
        eventually(lambda: _are_there(servers), patience=60, pause=0.1)
        yield servers
    finally:
        for process, ending in zip(started, (END_SESSIONS, signal.SIGTERM), strict=False):
            process.send_signal(ending)
        for process in started:
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def unprivileged(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: Debian's package brings a user."""
    if os.geteuid() != 0:
        return {"cwd": folder}
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"cwd": folder, "user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _are_there(servers: LakeServers) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(servers.dsn("postgres")):
        return requests.put(f"http://{HOST}:{servers.s3_port}/{BUCKET}", timeout=10).ok
    return False
