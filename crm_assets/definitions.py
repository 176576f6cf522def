"""The code location: everything in `crm_assets/defs/`."""

import warnings
from pathlib import Path

import dagster as dg

import crm_assets.defs
from crm_assets.components.refusals import refuse

# load_from_defs_folder does the same, but needs the project's pyproject.toml, which an installed package has not.
with warnings.catch_warnings():
    # Dagster warns of features that it uses itself.
    warnings.simplefilter("ignore", dg.BetaWarning)
    warnings.simplefilter("ignore", dg.PreviewWarning)
    tree = dg.ComponentTree.from_module(defs_module=crm_assets.defs, project_root=Path(__file__).parent.parent)
    # Without a folder, it would also describe the components of all packages, which takes 0.1 s of each start.
    folder = Path(crm_assets.defs.__file__).parent
    try:
        defs = tree.build_defs(folder)
        defs.resolve_asset_graph()  # is kept, as is the repository
    except Exception as error:
        refuse(error, folder)
        raise
