"""Steps in containers of their own, as `compose.docker.yaml` starts them: with podman in the place of Docker."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.deployment.compose import BESIDE, DOCKER_CONTEXT
from crm_assets_tests.deployment.containers import Containers, docker_socket, podman
from crm_assets_tests.deployment.deployed import Deployment, deployed
from crm_assets_tests.waiting import eventually

pytestmark = [
    pytest.mark.image,
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.usefixtures("lake_extensions"),
]


def context_here(prefix: str) -> str:
    """The compose file's, on the network of this machine and without cgroups."""
    options = {name: value for name, value in DOCKER_CONTEXT["container_kwargs"].items() if "limit" not in name}
    options["volumes"] = [volume.replace("crm_assets", prefix) for volume in options["volumes"]]
    return json.dumps(
        {"docker": {**DOCKER_CONTEXT, "networks": [], "container_kwargs": {**options, "network_mode": "host"}}}
    )


@pytest.fixture(scope="module")
def containers(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """Where the code location can start containers."""
    folder = tmp_path_factory.mktemp("home")
    with docker_socket(folder) as socket:
        containers = Containers(image, f"crm_{uuid4().hex[:8]}", folder, socket)
        yield containers
        containers.remove_what_is_left()


@pytest.fixture(scope="module")
def with_steps(containers: Containers) -> Iterator[Deployment]:
    """The deployment whose steps are containers."""
    more = {name: str(value) for name, value in BESIDE["environment"].items()} | {
        "DAGSTER_CURRENT_IMAGE": containers.image,
        "DAGSTER_CONTAINER_CONTEXT": context_here(containers.prefix),
        "SOURCES__CRM__ASSET_RETRY_DELAY": "0",
    }
    with deployed(containers, more) as deployment:
        yield deployment


def test_a_killed_step_is_started_again(
    with_steps: Deployment, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = with_steps.submit("__ASSET_JOB", "raw/contacts")
    [step] = eventually(containers.steps)
    eventually(lambda: "STEP_START" in dict(with_steps.events(run)))
    podman("kill", "--signal=KILL", step)
    assert with_steps.end_of(run) == "SUCCESS"
    assert "STEP_RESTARTED" in dict(with_steps.events(run))
    for name, value in with_steps.lake.items():
        monkeypatch.setenv(name, value)
    with Warehouse().read_connection() as reader:
        [(rows, ids)] = reader.execute("select count(*), count(distinct id) from raw.contacts").fetchall()
    assert rows == ids > 0
