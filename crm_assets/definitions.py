"""The code location: everything in `crm_assets/defs/`."""

import warnings
from pathlib import Path

import dagster as dg

import crm_assets.defs

# load_from_defs_folder does the same, but needs the project's pyproject.toml, which an installed package has not.
with warnings.catch_warnings():
    # Dagster warns of features that it uses itself.
    warnings.simplefilter("ignore", dg.BetaWarning)
    warnings.simplefilter("ignore", dg.PreviewWarning)
    tree = dg.ComponentTree.from_module(defs_module=crm_assets.defs, project_root=Path(__file__).parent.parent)
    # Without a folder, it would also describe the components of all packages, which takes 0.1 s of each start.
    defs = tree.build_defs(Path(crm_assets.defs.__file__).parent)
    defs.resolve_asset_graph()  # is kept, as is the repository
