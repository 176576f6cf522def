"""The CRMs of a deployment, and how their names tell their assets, tables and jobs apart."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Crm:
    """One CRM of a deployment.

    Attributes:
        name: Prefixes the names of everything that belongs to it; empty for the only CRM of a deployment.
    """

    name: str = ""

    def path(self, address: str) -> list[str]:
        """The path of an asset's key: `raw`, `accounts` for `raw.accounts`, below the name of the CRM."""
        return [*([self.name] if self.name else []), *address.split(".")]

    def named(self, name: str) -> str:
        """The name of this CRM's schema, table, job, schedule or sensor, such as `north_raw.accounts`."""
        return f"{self.name}_{name}" if self.name else name
