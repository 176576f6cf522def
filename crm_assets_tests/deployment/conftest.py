"""The deployment, started once for all tests that look at it: as processes, and as containers of the image."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest

from crm_assets_tests.deployment.compose import DAGSTERS, SERVICES, Host, Service, eventually
from crm_assets_tests.deployment.containers import Containers
from crm_assets_tests.deployment.deployed import PASSWORDS, TICKING, Deployment, create_roles, loaded_repository
from crm_assets_tests.deployment.image import base_image, built_image
from crm_assets_tests.deployment.processes import Processes
from crm_assets_tests.lake_servers import HOST, LakeServers, free_port, lake_servers, postgres_folder


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
    containers.remove_volumes()


@pytest.fixture(scope="package")
def deployment(request: pytest.FixtureRequest, host: Host) -> Iterator[Deployment]:
    """All services, in front of the sandbox, of which a schedule reads tasks every five minutes."""
    request.getfixturevalue("lake_extensions")
    if postgres_folder() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    ports = {"3000": str(free_port()), "4000": str(free_port())}
    often = {"SOURCES__CRM__ENDPOINTS__OPEN_TASKS__CADENCE_MINUTES": "5"}
    with ExitStack() as until_the_end:
        storage = until_the_end.enter_context(lake_servers())
        create_roles(storage)
        lake = lake_settings(storage)
        values = {**postgres_settings(storage), **lake, "CODE_LOCATION_HOST": HOST, "CODE_LOCATION_PORT": ports["4000"]}
        services = {name: Service(name, ports, values, often if name == "code" else {}) for name in DAGSTERS}
        for service in services.values():
            # Others wait for it, as they would trip over each other in an empty database.
            until_the_end.enter_context(host.run(service))
        url = f"http://{HOST}:{ports['3000']}"
        deployment = Deployment(url, eventually(lambda: loaded_repository(url)), lake, services, host)
        deployment.start_schedule(TICKING)
        yield deployment


def lake_settings(storage: LakeServers) -> dict[str, str]:
    """The compose file's lake, in an empty bucket."""
    address = SERVICES["code"]["environment"]["CRM_WAREHOUSE"]
    here = address.replace("host=postgres", f"host={HOST} port={storage.postgres_port}")
    return storage.new_lake() | {"CRM_WAREHOUSE": here, "PGPASSWORD": PASSWORDS["LAKE_POSTGRES_PASSWORD"]}


def postgres_settings(storage: LakeServers) -> dict[str, str]:
    """The compose file's storage of Dagster, on this machine."""
    composed = SERVICES["web"]["environment"]
    return {
        "DAGSTER_POSTGRES_HOST": HOST,
        "DAGSTER_POSTGRES_PORT": str(storage.postgres_port),
        "DAGSTER_POSTGRES_USER": composed["DAGSTER_POSTGRES_USER"],
        "DAGSTER_POSTGRES_PASSWORD": PASSWORDS["DAGSTER_POSTGRES_PASSWORD"],
        "DAGSTER_POSTGRES_DB": composed["DAGSTER_POSTGRES_DB"],
        "PGSSLMODE": "prefer",
    }
