"""Links from an asset in the UI to the files that define it."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from dagster import BetaWarning, CodeReferencesMetadataValue, LocalFileCodeReference


def code_references(files: Mapping[Path, str]) -> CodeReferencesMetadataValue:
    """The metadata value for `dagster/code_references`. `files`: file -> label."""
    with warnings.catch_warnings():
        # Two warnings per asset would bury a command's output.
        warnings.simplefilter("ignore", BetaWarning)
        return CodeReferencesMetadataValue(
            code_references=[LocalFileCodeReference(file_path=str(path), label=label) for path, label in files.items()]
        )
