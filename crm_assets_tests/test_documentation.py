"""The documentation: links work, commands exist, and tables equal the code."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from dagster import AssetKey

from crm_assets.__main__ import COMMANDS
from crm_assets.api import ENDPOINTS
from crm_assets.assets.attributes import _repository, code_references
from crm_assets.definitions import defs
from crm_assets.runner.loading import load_models
from crm_assets.runner.project import DBT_DIR
from crm_assets.sandbox import serving_sandbox
from crm_assets.sandbox.world import RESOURCES
from crm_assets_tests.sandbox.client import NOW

PROJECT = Path(__file__).parents[1]
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md", *(PROJECT / "docs").glob("*.md")]
TEXTS = {str(page.relative_to(PROJECT)): page.read_text(encoding="utf-8") for page in PAGES}

ADDED_BY_A_PAGE = {"lost_deals", "accounts_by_owner"}
"""What the pages about adding something add."""


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)}


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command in a page's console blocks."""
    for block in re.findall(r"^ *```console\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if re.match(r" *(make|dagster|\.venv/bin/|python)\b|.*/dagster ", line):
                yield shlex.split(line, comments=True)


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", TEXTS[page]):
        path, _, fragment = target.partition("#")
        file = (PROJECT / page).parent / path if path else PROJECT / page
        assert file.exists(), target
        assert not fragment or fragment in anchors(file), target


@pytest.mark.parametrize("page", TEXTS)
def test_make_targets_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {words[1] for words in commands(TEXTS[page]) if words[0] == "make" and len(words) > 1}
    assert named | set(re.findall(r"`make ([a-z-]+)`", TEXTS[page])) <= targets


@pytest.mark.parametrize("page", TEXTS)
def test_commands_of_the_package_exist(page: str) -> None:
    assert set(re.findall(r"(?:[`/]|^)crm-assets ([a-z][a-z-]*)", TEXTS[page], re.MULTILINE)) <= set(COMMANDS)


@pytest.mark.parametrize("page", TEXTS)
def test_jobs_schedules_and_assets_of_commands_exist(page: str) -> None:
    names = {job.name for job in defs.resolve_all_job_defs()} | {s.name for s in defs.schedules or []}
    assets = defs.resolve_asset_graph().get_all_asset_keys()
    for words in commands(TEXTS[page]):
        for name in re.findall(r"\b\w+_(?:sync|schedule|refresh|incremental)\b", " ".join(words)):
            assert name in names or name.rpartition("_")[0] in ADDED_BY_A_PAGE, words
        for key in re.findall(r'key:"([^"]+)"', " ".join(words)):
            assert AssetKey(key.split("/")) in assets or key.split("/")[-1] in ADDED_BY_A_PAGE, words


def test_modules_of_the_architecture_exist() -> None:
    for cell in re.findall(r"^\| ((?:`[\w/]+(?:\.py|/)`(?:, )?)+) \|", TEXTS["docs/architecture.md"], re.MULTILINE):
        folder = PROJECT / "crm_assets"
        for module in re.findall(r"`(.*?)`", cell):
            at_top = PROJECT / "crm_assets" / module
            folder = at_top.parent if at_top.exists() else folder
            assert (folder / Path(module).name).exists(), module


def test_the_api_page_lists_every_resource_as_it_is() -> None:
    for resource, endpoint in ENDPOINTS.items():
        assert f"| `{resource}` | `{endpoint.path}` | `{endpoint.data_selector}` |" in TEXTS["docs/api.md"]


def test_samples_equal_the_sandboxs_answers() -> None:
    samples = re.findall(r"<code>GET (\S+?)\?.*?```json\n(.*?)```", TEXTS["docs/api.md"], re.DOTALL)
    assert {path for path, _ in samples} == {resource.path for resource in RESOURCES}
    with serving_sandbox(now=NOW) as sandbox:
        for path, sample in samples:
            answer = requests.get(
                f"{sandbox.base_url}{path}",
                params={"page": 1, "per_page": 1},
                headers={"api_key": sandbox.api_key},
                timeout=10,
            )
            assert json.loads(sample) == answer.json()


def test_the_page_about_models_adds_one_that_is_accepted(tmp_path: Path) -> None:
    project = tmp_path / "crm_assets" / "dbt"
    shutil.copytree(DBT_DIR, project)
    files = re.findall(r"`(crm_assets/\S+)`:\n\n```(?:yaml|sql)\n(.*?)```", TEXTS["docs/adding_a_model.md"], re.DOTALL)
    for path, text in files:
        (tmp_path / path).write_text(text, encoding="utf-8")
    [added] = [model for model in load_models(project) if model.name == "accounts_by_owner"]
    assert added.depends_on == {"staging.stg_accounts"}
    assert len(added.data_tests) == 2


def test_each_asset_links_to_what_declares_it_and_to_a_page() -> None:
    for node in defs.resolve_asset_graph().asset_nodes:
        links = node.metadata["dagster/code_references"].code_references
        assert [link.file_path for link in links if not Path(link.file_path).is_file()] == []
        *declared, page, instance = links
        assert instance.file_path.endswith("defs/crm/defs.yaml"), node.key
        assert declared, node.key
        assert page.label == "documentation", node.key


def test_assets_link_to_a_repository_if_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_REPOSITORY_URL", "https://example.com/acme/crm/blob/main/")
    _repository.cache_clear()
    try:
        links = code_references({DBT_DIR / "models" / "marts" / "marts.yml": "SQL"}, "docs/api.md").code_references
    finally:
        _repository.cache_clear()
    project = "https://example.com/acme/crm/blob/main"
    expected = [f"{project}/crm_assets/dbt/models/marts/marts.yml", f"{project}/docs/api.md"]
    assert [getattr(link, "url", "") for link in links] == expected
