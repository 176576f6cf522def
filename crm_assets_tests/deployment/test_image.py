"""What is in the image, and what its containers may do."""

import json
import subprocess
from pathlib import Path

import pytest

from crm_assets_tests.deployment.compose import DAGSTERS
from crm_assets_tests.deployment.containers import Containers, podman
from crm_assets_tests.deployment.deployed import PASSWORDS, Deployment
from crm_assets_tests.deployment.image import MARK

pytestmark = [
    pytest.mark.image,
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.usefixtures("lake_extensions"),
]

CONTAINERS = pytest.mark.parametrize("host", ["containers"], indirect=True)

VIRTUAL = {"tmpfs", "proc", "devpts", "mqueue", "devtmpfs"}
"""File systems that are gone with the container."""


@pytest.fixture(params=DAGSTERS)
def container(request: pytest.FixtureRequest, deployment: Deployment) -> str:
    """The name of the container of a running service."""
    assert isinstance(deployment.host, Containers)
    return deployment.host.name(request.param)


def inside(container: str, script: str) -> str:
    """What a shell in a container prints."""
    return podman("exec", container, "sh", "-c", script)


@CONTAINERS
def test_a_container_has_no_rights_of_root(container: str) -> None:
    lines = [line.split() for line in inside(container, "cat /proc/1/status").splitlines()]
    status = {name: values for name, *values in lines}
    assert status["Uid:"] == ["1000"] * 4
    assert {int(status[f"Cap{kind}:"][0], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert status["NoNewPrivs:"] == ["1"]


@CONTAINERS
def test_a_container_can_write_to_memory_and_its_volumes_only(container: str) -> None:
    mounts = [line.split() for line in inside(container, "cat /proc/mounts").splitlines()]
    writable = {place for _, place, kind, options, *_ in mounts if options.startswith("rw") and kind not in VIRTUAL}
    assert writable == {"/opt/dagster/home/storage"} | ({"/var/lib/crm"} if container.endswith("_code") else set())


@CONTAINERS
def test_only_the_code_location_has_keys(container: str) -> None:
    [about] = json.loads(podman("inspect", container))
    names = {variable.partition("=")[0] for variable in about["Config"]["Env"]}
    keys = {"PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SOURCES__CRM__API_KEY"}
    assert names & keys == (keys if container.endswith("_code") else set())
    assert container.endswith("_code") or PASSWORDS["LAKE_POSTGRES_PASSWORD"] not in json.dumps(about)


def test_no_layer_has_a_secret(image: str, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    podman("save", "--quiet", "--format", "docker-archive", "--output", archive, image)

    def found(text: str) -> bool:
        return (
            subprocess.run(["grep", "--quiet", "--fixed-strings", "--text", text, archive], check=False).returncode == 0
        )

    assert found("class CrmComponent")  # layers are not compressed
    assert not found(MARK)
    archive.unlink()


def test_the_image_has_less_than_900_megabytes(image: str) -> None:
    assert int(podman("image", "inspect", "--format", "{{.Size}}", image)) < 900_000_000
