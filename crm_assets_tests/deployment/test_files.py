"""The files of `deploy/`: rights, versions, secrets, and what reaches the containers."""

import re
from io import StringIO

import pytest
import yaml
from compose_spec import PyCompose
from dotenv import dotenv_values

from crm_assets_tests.deployment.compose import DEPLOY, DOCKER_CONTEXT, DOCKERFILE, SERVICES


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service and "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"memory", "pids"}
    assert name == "bucket" or {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])


def test_step_containers_have_no_more_rights_than_the_code() -> None:
    options = DOCKER_CONTEXT["container_kwargs"]
    assert options["read_only"] is True and options["cap_drop"] == ["ALL"]
    assert options["security_opt"] == ["no-new-privileges:true"]
    assert options["mem_limit"] and options["pids_limit"]


def test_every_image_has_an_exact_version() -> None:
    built = {service["image"] for service in SERVICES.values() if "build" in service}
    images = {service["image"] for service in SERVICES.values()} - built
    images |= set(re.findall(r"^ARG BASE=(\S+)", DOCKERFILE, re.MULTILINE))
    assert len(images) == 4
    for image in images:
        assert re.search(r":(\d+\.\d+(\.\d+)?-\w|RELEASE\.\d{4}-)|@sha256:[0-9a-f]{64}$", image), image


@pytest.mark.parametrize("file", ["compose.yaml", "compose.docker.yaml"])
def test_a_compose_file_follows_the_specification(file: str) -> None:
    text = re.sub(r"\$\{\w+(:[-?][^}]*)?\}", "1", (DEPLOY / file).read_text(encoding="utf-8"))
    PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(text))).validate()


def test_the_example_quotes_what_may_hold_any_character() -> None:
    text = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    secret = re.findall(r"^(\w*(?:PASSWORD|KEY|NOTIFY))=(.*)$", text, re.MULTILINE)
    assert len(secret) == 8
    assert {value for _, value in secret} == {"''"}
    assert set(dotenv_values(stream=StringIO(text)).values()) == {""}


def test_every_setting_is_handed_on_to_steps_in_containers() -> None:
    needed = set(SERVICES["code"]["environment"]) - {"CODE_LOCATION_HOST", "CODE_LOCATION_PORT"}
    assert set(DOCKER_CONTEXT["env_vars"]) == needed


def test_no_file_of_the_deployment_has_a_secret() -> None:
    for variable, value in SERVICES["code"]["environment"].items():
        if re.search("PASSWORD|SECRET|KEY$|KEY_ID", variable):
            assert value.startswith("${"), variable
    for line in (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines():
        assert not re.match(r"\w*(PASSWORD|KEY)\w*='?[^']", line), line
