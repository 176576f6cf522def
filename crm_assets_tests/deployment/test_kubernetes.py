"""The manifests of `deploy/kubernetes`, and what the `k8s` executor makes of `deploy/helm/values.yaml`."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterRun
from dagster._serdes import ConfigurableClassData
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import construct_dagster_k8s_job
from kubernetes.client import ApiClient
from kubernetes_validate import validate

from crm_assets_tests.deployment.compose import DAGSTERS, DEPLOY, SERVICES

OLDEST, NEWEST = "1.30", "1.37"
FILES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def resources(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def found(kind: str, name: str) -> dict[str, Any]:
    """The only resource of this kind and name."""
    every = [each for file in FILES for each in resources(file)]
    [one] = [each for each in every if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return one


def pod_of(service: str) -> dict[str, Any]:
    """The pod of a service without Helm."""
    pod: dict[str, Any] = found("Deployment", f"crm-{service}")["spec"]["template"]["spec"]
    return pod


VALUES = yaml.safe_load((DEPLOY / "helm" / "values.yaml").read_text(encoding="utf-8"))


def launcher(folder: Path) -> K8sRunLauncher:
    """The one in the `dagster.yaml` that Dagster's chart makes of the values, for a cluster that is not asked."""
    cluster = {"clusters": [{"name": "c", "cluster": {"server": "https://localhost:1"}}], "current-context": "c"}
    cluster |= {
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(cluster), encoding="utf-8")
    values = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    config = {
        "load_incluster_config": False,
        "kubeconfig_file": str(folder / "kubeconfig"),
        "service_account_name": "crm-dagster",
        "dagster_home": "/opt/dagster/dagster_home",
        "instance_config_map": "crm-dagster-instance",
        "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
        "image_pull_policy": values["imagePullPolicy"],
        "security_context": values["securityContext"],
        "run_k8s_config": {"pod_spec_config": values["runK8sConfig"]["podSpecConfig"]},
    }
    made = ConfigurableClassData("dagster_k8s", "K8sRunLauncher", yaml.safe_dump(config))
    return made.rehydrate(as_type=K8sRunLauncher)


@pytest.fixture
def step(tmp_path: Path) -> Any:
    """The job of a step, as Kubernetes gets it."""
    [code] = VALUES["dagster-user-deployments"]["deployments"]
    handed_on = {
        "image_pull_policy": code["image"]["pullPolicy"],
        "env_secrets": [secret["name"] for secret in code["envSecrets"]],
        "env": code["env"],
        "volumes": code["volumes"],
        "volume_mounts": code["volumeMounts"],
        "labels": code["labels"],
        "resources": code["resources"],
    }
    starter = launcher(tmp_path)
    context = K8sContainerContext.create_for_run(
        DagsterRun(job_name="crm_full_refresh"), starter, include_run_tags=False
    ).merge(K8sContainerContext.create_from_config({"k8s": handed_on}))
    job = construct_dagster_k8s_job(
        context.get_k8s_job_config("{repository}:{tag}".format(**code["image"]), starter),
        args=["dagster", "api", "execute_step"],
        job_name="dagster-step-1",
        user_defined_k8s_config=context.run_k8s_config,
    )
    return ApiClient().sanitize_for_serialization(job)


@pytest.mark.slow
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_manifest_is_valid(file: Path, version: str) -> None:
    for resource in resources(file):
        assert validate(resource, version, strict=True) == version


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_a_step_is_a_valid_job(step: Any, version: str) -> None:
    assert validate(step, version, strict=True) == version


def test_a_step_has_what_the_code_location_has(step: Any) -> None:
    [container] = step["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "crm_assets:0.1.0"
    assert {"CRM_WAREHOUSE", "CRM_EXECUTOR", "PGPASSWORD"} <= {variable["name"] for variable in container["env"]}
    assert {"secretRef": {"name": "crm-settings"}} in container["envFrom"]
    assert "/var/lib/crm" in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["resources"]["limits"] == {"memory": "2Gi"}


def test_a_step_has_no_more_rights_than_it_needs(step: Any) -> None:
    check_rights(step["spec"]["template"]["spec"])


def test_the_web_server_of_the_chart_needs_no_right_to_its_port() -> None:
    web = VALUES["dagsterWebserver"]
    assert web["securityContext"]["capabilities"] == {"drop": ["ALL"]} and web["service"]["port"] >= 1024


@pytest.mark.parametrize("service", DAGSTERS)
def test_a_pod_has_no_more_rights_than_it_needs(service: str) -> None:
    check_rights(pod_of(service))
    assert pod_of(service)["automountServiceAccountToken"] is False


def check_rights(pod: dict[str, Any]) -> None:
    """That a pod has no rights of root, and no variables that look like settings."""
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 1000
    assert pod["enableServiceLinks"] is False
    rights = container["securityContext"]
    assert rights["allowPrivilegeEscalation"] is False and rights["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("service", DAGSTERS)
def test_a_pod_runs_the_command_of_compose(service: str) -> None:
    [container] = pod_of(service)["containers"]
    assert container["command"] == shlex.split(SERVICES[service]["command"])
    assert container["securityContext"]["readOnlyRootFilesystem"] is SERVICES[service]["read_only"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {
        volume.partition(":")[2] for volume in SERVICES[service]["volumes"]
    } | set(SERVICES[service]["tmpfs"])


@pytest.mark.parametrize("service", ["web", "daemon"])
def test_a_pod_without_runs_has_no_keys(service: str) -> None:
    [container] = pod_of(service)["containers"]
    assert container["envFrom"] == [{"configMapRef": {"name": "crm-dagster"}}]
    names = {variable["name"] for variable in container["env"]} | set(found("ConfigMap", "crm-dagster")["data"])
    assert names == set(SERVICES[service]["environment"])


def test_the_secrets_are_those_that_pods_name() -> None:
    named = {"crm-postgresql": {"postgresql-password"}, "crm-lake": {"password"}}
    for name, keys in named.items():
        assert set(found("Secret", name)["stringData"]) == keys
    assert set(found("Secret", "crm-settings")["stringData"].values()) == {""}
