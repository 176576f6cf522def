"""The services of `deploy/compose.yaml`, to be started on this machine."""

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from crm_assets_tests.lake_servers import HOST
from crm_assets_tests.waiting import eventually

DEPLOY = Path(__file__).parents[2] / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
BESIDE = yaml.safe_load((DEPLOY / "compose.docker.yaml").read_text(encoding="utf-8"))["services"]["code"]
DOCKER_CONTEXT = json.loads(BESIDE["environment"]["DAGSTER_CONTAINER_CONTEXT"])["docker"]
"""What steps in containers get."""

DAGSTERS = ("code", "web", "daemon")
"""Dagster's services, in the order that `depends_on` starts them in."""


@dataclass(frozen=True)
class Service:
    """One of Dagster's services: the command and the variables of the compose file, and no others.

    Attributes:
        name: In the compose file.
        ports: Those of the compose file -> those of this machine.
        values: Of variables.
        more: Variables that a second compose file would add.
    """

    name: str
    ports: Mapping[str, str]
    values: Mapping[str, str]
    more: Mapping[str, str]

    @property
    def settings(self) -> dict[str, Any]:
        """What the compose file says about it."""
        return dict(SERVICES[self.name])

    @property
    def command(self) -> list[str]:
        """What it runs, for this machine only."""
        words = shlex.split(self.settings["command"].replace("0.0.0.0", HOST))  # noqa: S104
        return [self.ports.get(word, word) for word in words]

    @property
    def health_check(self) -> str:
        """What a shell runs beside it."""
        check = str(self.settings["healthcheck"]["test"])
        for port, here in self.ports.items():
            check = check.replace(port, here)
        return check

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        return {name: self.values.get(name, "") for name in self.settings["environment"]} | dict(self.more)


class Host(Protocol):
    """What services run on."""

    def run(self, service: Service) -> AbstractContextManager[None]:
        """Runs a service, healthy when the body begins, until it ends."""

    def succeeds(self, service: Service, script: str) -> bool:
        """Whether a shell beside the service runs the script without an error."""


@contextmanager
def started(words: Sequence[str | Path], log: Path, healthy: Callable[[], bool], **options: Any) -> Iterator[None]:
    """Runs a program until the body ends, which begins when the program is healthy.

    Raises:
        RuntimeError: It ended before.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, **options)

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{log.stem} ended:\n{log.read_text(encoding='utf-8')[-3000:]}")
            return healthy()

        try:
            eventually(ready)
            yield
        finally:
            process.terminate()
            process.wait(timeout=240)
