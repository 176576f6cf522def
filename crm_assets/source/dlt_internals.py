"""The undocumented parts of dlt that the project uses. `test_contracts.py` fails when an upgrade changes one of them.

- `ItemTransform`, added with `DltResource.add_step`: receives whole pages, empty ones too, as `PageData` whose
  paginator already knows whether the read goes on. `add_map` and its like receive single records.
- `NamingConvention`: dlt's snake case, for the names of undeclared columns.
- `dlt_context.py`: dlt looks for its settings in a run context's `initial_providers`. Its container creates a context
  on first use, not when dlt is imported.
- `PageSession` (`http/session.py`) and the paginators (`reading/`): dlt's `RESTClient` uses the objects passed to
  `rest_api` themselves, calls the session's `prepare_request`, `merge_environment_settings` and `send`, and passes on
  the response of `send`.
- The logger `dlt`, which receives all of dlt's messages: `loading/landing.py` silences it, since they can hold
  values.
"""

from dlt.common.normalizers.naming.snake_case import NamingConvention
from dlt.extract.items_transform import ItemTransform

__all__ = ["ItemTransform", "NamingConvention"]
