"""Links from an asset in the UI to the files that define it, and to its page in the documentation."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from dagster import BetaWarning, CodeReferencesMetadataValue, LocalFileCodeReference

from crm_assets.settings.documents import checkout


def code_references(files: Mapping[Path, str], page: str) -> CodeReferencesMetadataValue:
    """The metadata value for `dagster/code_references`.

    Args:
        files: File -> label.
        page: The page of the documentation, relative to the project. An installed package has none.
    """
    project = checkout()
    linked = {**files, **({project / page: "documentation"} if project else {})}
    with warnings.catch_warnings():
        # Two warnings per asset would bury a command's output.
        warnings.simplefilter("ignore", BetaWarning)
        return CodeReferencesMetadataValue(
            code_references=[LocalFileCodeReference(file_path=str(path), label=label) for path, label in linked.items()]
        )
