"""Services as containers of the image, with podman."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crm_assets_tests.deployment.compose import Service, started

# crun starts no container where controllers of both versions are mounted. A namespace of its own sees the second only.
ONLY_CGROUP2 = [
    *("unshare", "--mount", "sh", "-c"),
    'umount --recursive --lazy /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"',
    "sh",
]
PODMAN = [*(ONLY_CGROUP2 if Path("/sys/fs/cgroup/unified").exists() else []), "podman"]

HERE = ["--cgroups=disabled", "--network=host", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"]
"""Needs no rights that this process may lack, and reaches the servers of this machine."""


def podman(*arguments: str | Path) -> str:
    """What one of its commands prints.

    Raises:
        RuntimeError: It failed.
    """
    done = subprocess.run([*PODMAN, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"podman {arguments[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@dataclass(frozen=True)
class Containers:
    """Starts services as containers, with the rights and volumes of the compose file.

    Attributes:
        image: Its name.
        prefix: Of the names of containers and volumes.
        logs: A folder for what they print.
    """

    image: str
    prefix: str
    logs: Path

    def name(self, service: str) -> str:
        """What podman calls the service's container."""
        return f"{self.prefix}_{service}"

    @contextmanager
    def run(self, service: Service) -> Iterator[None]:
        """Runs a service until the body ends. What it prints goes to a file in the folder."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as variables:
            variables.writelines(f"{variable}={value}\n" for variable, value in service.environment.items())
            variables.flush()
            words = [*PODMAN, "run", "--rm", "--name", self.name(service.name), "--env-file", variables.name, *HERE]
            words += [*self._options(service.settings), self.image, *service.command]
            log = self.logs / f"{service.name}.log"
            with started(words, log, lambda: self.succeeds(service, service.health_check)):
                yield

    def succeeds(self, service: Service, script: str) -> bool:
        """Whether a shell in the service's container runs the script without an error."""
        words = [*PODMAN, "exec", self.name(service.name), "sh", "-c", script]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def remove_volumes(self) -> None:
        """Removes what the containers have written."""
        podman("volume", "rm", "--force", *podman("volume", "ls", "--quiet", f"--filter=name={self.prefix}").split())

    def _options(self, settings: Mapping[str, Any]) -> list[str]:
        return [
            *(["--read-only", "--read-only-tmpfs=false"] if settings["read_only"] else []),
            *(f"--tmpfs={folder}" for folder in settings["tmpfs"]),
            *(f"--cap-drop={capability}" for capability in settings["cap_drop"]),
            *(f"--security-opt={option.replace(':true', '')}" for option in settings["security_opt"]),
            *(f"--volume={self.prefix}_{volume}" for volume in settings["volumes"]),
        ]
