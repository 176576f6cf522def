"""The deployment, started once for all tests that look at it: as processes, and as containers of the image."""

import shutil
from collections.abc import Iterator
from uuid import uuid4

import pytest

from crm_assets_tests.deployment.compose import Host
from crm_assets_tests.deployment.containers import Containers
from crm_assets_tests.deployment.deployed import TICKING, Deployment, deployed
from crm_assets_tests.deployment.image import base_image, built_image
from crm_assets_tests.deployment.processes import Processes


@pytest.fixture(scope="package")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image's name."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed: apt-get install podman crun")
    base = base_image()
    if base is None:
        pytest.skip("no base image: no registry can be reached, and debootstrap is not installed, or this is not root")
    return built_image(base, tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="package", params=["processes", pytest.param("containers", marks=pytest.mark.image)])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """What the services run on."""
    folder = tmp_path_factory.mktemp("home")
    if request.param == "processes":
        yield Processes.in_folder(folder)
        return
    containers = Containers(request.getfixturevalue("image"), f"crm_{uuid4().hex[:8]}", folder)
    yield containers
    containers.remove_what_is_left()


@pytest.fixture(scope="package")
def deployment(host: Host) -> Iterator[Deployment]:
    """All services, in front of the sandbox, of which a schedule reads tasks every five minutes."""
    with deployed(host, {"SOURCES__CRM__ENDPOINTS__OPEN_TASKS__CADENCE_MINUTES": "5"}) as deployment:
        deployment.start_schedule(TICKING)
        yield deployment
