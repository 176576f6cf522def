"""The undocumented parts of dlt that the project uses. Tests in `contracts/` fail if an upgrade changes one of them.

- `NamingConvention`: dlt's snake case, for the names of undeclared columns.
- `dlt_context.py`: dlt looks for its settings in a run context's `initial_providers`. Its container creates a context
  on first use, not when dlt is imported.
- `PageSession` (`http/session.py`) and the paginators (`reading/`): dlt's `RESTClient` uses the objects passed to
  `rest_api` themselves, and calls the session's `prepare_request`, `merge_environment_settings` and `send`. When a
  page reaches a step of the resource, its paginator knows whether the read goes on.
- The logger `dlt`, which receives all of dlt's messages: `loading/landing.py` silences it, since they can hold
  values.
"""

from dlt.common.normalizers.naming.snake_case import NamingConvention

__all__ = ["NamingConvention"]
