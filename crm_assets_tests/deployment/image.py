"""The image of `deploy/Dockerfile`, built with podman and with the packages that this machine's pip installs."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from crm_assets_tests.deployment.compose import DEPLOY, DOCKERFILE
from crm_assets_tests.deployment.containers import podman

CHECKOUT = DEPLOY.parent
MARK = "beside-the-project"
"""In files that must not get into the image."""

DEBIAN = "localhost/debian_with_python"
"""A base from Debian's packages, where no registry of images can be reached."""


def base_image() -> str | None:
    """The Dockerfile's base, or else one from Debian's packages; None if neither can be had."""
    [public] = re.findall(r"^ARG BASE=(\S+)", DOCKERFILE, re.MULTILINE)
    try:
        podman("pull", "--quiet", f"docker.io/library/{public}")
    except RuntimeError:
        if shutil.which("debootstrap") is None or os.geteuid() != 0:
            return None
        return debian_with_python()
    return f"docker.io/library/{public}"


def debian_with_python() -> str:
    """A base from Debian's packages, made once."""
    if DEBIAN not in podman("images", "--format", "{{.Repository}}").split():
        with tempfile.TemporaryDirectory(prefix="debian_", dir="/var/tmp") as root:
            packages = "--include=python3,python3-venv,ca-certificates"
            subprocess.run(["debootstrap", "--variant=minbase", packages, "bookworm", root], check=True)
            for folder in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
                shutil.rmtree(Path(root, folder))
            with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
                subprocess.run(["tar", "--directory", root, "--create", "--file", archive.name, "."], check=True)
                podman("import", "--quiet", archive.name, DEBIAN)
    return DEBIAN


def built_image(base: str, folder: Path) -> str:
    """Builds the image as `docker build` would, beside files with secrets: its name."""
    context = folder / "project"
    (context / "data").mkdir(parents=True)
    for name in ("crm_assets", "deploy"):
        shutil.copytree(CHECKOUT / name, context / name)
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, context)
    for file in (".env", "deploy/.env", "data/crm.duckdb", ".netrc"):
        (context / file).write_text(MARK, encoding="utf-8")
    pip = folder / "pip.conf"
    settings = pip_settings()
    pip.write_text("\n".join([f"# {MARK}", "[global]", *(f"{name} = {value}" for name, value in settings.items())]))
    podman(
        "build",
        "--isolation=chroot",
        "--network=host",
        "--layers",
        *(f"--volume={path}:{path}:ro" for path in files_of(settings)),
        f"--secret=id=pip,src={pip}",
        f"--build-arg=BASE={base}",
        f"--file={context / 'deploy' / 'Dockerfile'}",
        "--tag=localhost/crm_assets_test",
        context,
    )
    return "localhost/crm_assets_test"


def pip_settings() -> dict[str, str]:
    """Where this machine's pip takes packages from."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    pairs = (line.partition("=") for line in listed.stdout.splitlines())
    return {name.rpartition(".")[2].strip(): ast.literal_eval(value) for name, _, value in pairs}


def files_of(settings: dict[str, str]) -> Iterator[str]:
    """The files and folders that pip's settings name. An index's links lead to folders beside it."""
    for word in " ".join(settings.values()).split():
        if word.startswith("file:"):
            yield str(Path(urlsplit(word).path).parent)
        elif word.startswith("/") and Path(word).exists():
            yield word
