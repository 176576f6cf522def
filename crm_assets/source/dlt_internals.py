"""What is used of dlt beyond what it documents. `test_contracts.py` fails when an upgrade changes any of it.

- `ItemTransform`, added with `DltResource.add_step`: sees whole pages, empty ones too, as `PageData` whose paginator
  knows already whether the read goes on. `add_map` and its kin take pages apart.
- `compile_path`: a data selector compiled once. `rest_api` takes it as it takes a text, which it compiles for
  each page.
- `generate_dlt_ids`: row ids as dlt makes them.
- `NamingConvention`: dlt's snake case, for the names of columns that no schema declares.
- `dlt_context.py`: dlt looks for its settings in a run context's `initial_providers`. Its container makes a context
  when the first one is needed, and not when dlt is imported.
- `PageSession` (`http/session.py`) and the paginators (`reading/`): dlt's `RESTClient` uses the very objects that
  `rest_api` is given, calls `prepare_request`, `merge_environment_settings` and `send` of the session, and hands on the
  response of `send`.
- The logger `dlt`, which all of dlt's messages go to: `warehouse/landing.py` silences it, as they can show values.
"""

from dlt.common.jsonpath import compile_path
from dlt.common.normalizers.naming.snake_case import NamingConvention
from dlt.common.normalizers.utils import generate_dlt_ids
from dlt.extract.items_transform import ItemTransform

__all__ = ["ItemTransform", "NamingConvention", "compile_path", "generate_dlt_ids"]
