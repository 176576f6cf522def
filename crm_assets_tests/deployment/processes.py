"""Services as processes of the installed package."""

import os
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from crm_assets_tests.deployment.compose import DEPLOY, Service, started

IMAGE_HOME = "/opt/dagster/home"
"""Where the image has the files of the Dagster instance."""

PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True)
class Processes:
    """Starts services as processes.

    Attributes:
        folder: Stands for the image's home and Dagster's.
    """

    folder: Path

    @classmethod
    def in_folder(cls, folder: Path) -> "Processes":
        """With the files that the image has in its home."""
        for file in ("dagster.yaml", "workspace.yaml"):
            (folder / file).symlink_to(DEPLOY / file)
        return cls(folder)

    def run(self, service: Service) -> AbstractContextManager[None]:
        """Runs a service until the body ends. What it prints goes to a file in the folder."""
        program, *arguments = [word.replace(IMAGE_HOME, str(self.folder)) for word in service.command]
        return started(
            [PROGRAMS / program, *arguments],
            self.folder / f"{service.name}.log",
            lambda: self.succeeds(service, service.health_check),
            env=self._environment(service),
            cwd=self.folder,
        )

    def succeeds(self, service: Service, script: str) -> bool:
        """Whether a shell beside the service runs the script without an error."""
        shell = ["sh", "-c", script]
        done = subprocess.run(shell, env=self._environment(service), capture_output=True, check=False)
        return done.returncode == 0

    def _environment(self, service: Service) -> dict[str, str]:
        return service.environment | {
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "PYTHONPATH": os.environ["PYTHONPATH"],
            "DLT_PROJECT_DIR": str(self.folder),
            "DAGSTER_HOME": str(self.folder),
            "CRM_DATA_DIR": str(self.folder / "data"),
            "HOME": str(self.folder),
        }
