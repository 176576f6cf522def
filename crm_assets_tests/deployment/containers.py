"""Services as containers of the image, with podman."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crm_assets_tests.deployment.compose import Service, started
from crm_assets_tests.processes import completed

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
    done = completed([*PODMAN, *arguments])
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
        socket: That of podman's service, which stands for Docker's, for the code location.
    """

    image: str
    prefix: str
    logs: Path
    socket: Path | None = None

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
            words += [*self._options(service.settings), *self._socket(service), self.image, *service.command]
            log = self.logs / f"{service.name}.log"
            with started(words, log, lambda: self.succeeds(service, service.health_check)):
                yield

    def succeeds(self, service: Service, script: str) -> bool:
        """Whether a shell in the service's container runs the script without an error."""
        words = [*PODMAN, "exec", self.name(service.name), "sh", "-c", script]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def steps(self, *options: str) -> list[str]:
        """The names of steps' containers: those that run, or others with podman's options."""
        listed = podman("ps", "--format", "{{.Names}}", f"--filter=volume={self.prefix}_data", *options).split()
        return [name for name in listed if not name.startswith(self.prefix)]

    def remove_what_is_left(self) -> None:
        """Removes containers that have ended, and what containers have written."""
        for name in self.steps("--all"):
            podman("rm", "--force", "--time=1", name)
        podman("volume", "rm", "--force", *podman("volume", "ls", "--quiet", f"--filter=name={self.prefix}").split())

    def _options(self, settings: Mapping[str, Any]) -> list[str]:
        return [
            *(["--read-only", "--read-only-tmpfs=false"] if settings["read_only"] else []),
            *(f"--tmpfs={folder}" for folder in settings["tmpfs"]),
            *(f"--cap-drop={capability}" for capability in settings["cap_drop"]),
            *(f"--security-opt={option.replace(':true', '')}" for option in settings["security_opt"]),
            *(f"--volume={self.prefix}_{volume}" for volume in settings["volumes"]),
        ]

    def _socket(self, service: Service) -> list[str]:
        return [f"--volume={self.socket}:/var/run/docker.sock"] if self.socket and service.name == "code" else []


@contextmanager
def docker_socket(folder: Path) -> Iterator[Path]:
    """The socket of a service that speaks Docker's protocol. Containers that are asked for there run as others do."""
    settings, socket = folder / "containers.conf", folder / "docker.sock"
    settings.write_text(
        '[containers]\ncgroups = "disabled"\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
    )
    words = [*PODMAN, "system", "service", "--time=0", f"unix://{socket}"]
    environment = {**os.environ, "CONTAINERS_CONF": str(settings)}
    with started(words, folder / "service.log", socket.exists, env=environment):
        socket.chmod(0o666)
        yield socket
