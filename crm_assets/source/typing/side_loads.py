"""Side-loaded records: what answers hold besides the records of their list, such as users, with the names of ids."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from crm_assets.api import ID, INCLUDE
from crm_assets.errors import BadAnswer, counted
from crm_assets.settings import CrmSettings, PersonalData, setting_name
from crm_assets.source.http.page import Page, integer_at
from crm_assets.source.schemas import side_loaded_columns
from crm_assets.source.typing.batches import Forgotten
from crm_assets.source.typing.columns import as_json
from crm_assets.source.typing.redaction import A_NAME, Redaction, never_stored, without_never_stored

MAX_ARRAYS = 100
MAX_RECORDS = 20_000
"""Side-loaded arrays of a read, and side-loaded records of a page. An API has a few, for related objects of records."""

COLUMNS = pa.schema([("array_name", pa.string()), ("id", pa.int64()), ("record", pa.string())])


class SideLoads:
    """The side-loaded records of one read.

    Pages repeat the same users. Each is kept once, as the last page had it.
    """

    def __init__(self, resource: str, settings: CrmSettings, forgotten: Forgotten) -> None:
        """Starts empty.

        Args:
            resource: The resource whose pages have them, for messages.
            settings: The policy for personal data.
            forgotten: Records that are left out.
        """
        self._resource = resource
        self._settings = settings
        self._forgotten = forgotten
        self._records: dict[tuple[str, int], Any] = {}
        self._without_id: Counter[str] = Counter()

    def add(self, page: Page) -> None:
        """Adds the arrays of a page. Records without a usable id are of no use: they are only counted.

        Raises:
            BadAnswer: There are too many arrays or records.
        """
        arrays = len(self._without_id.keys() | page.side_loaded.keys())
        records = sum(map(len, page.side_loaded.values()))
        too_many = ""
        if arrays > MAX_ARRAYS:
            too_many = f"{arrays:,} arrays besides the list. No more than {MAX_ARRAYS} are loaded"
        elif records > MAX_RECORDS:
            too_many = f"{records:,} records besides the list. No more than {MAX_RECORDS:,} of a page are loaded"
        if too_many:
            raise BadAnswer(
                f"{self._resource}, page {page.number}: {too_many}. Check `{INCLUDE}` and the other params of this "
                f"resource in {setting_name('endpoints')}"
            )
        for array, side_loaded in page.side_loaded.items():
            ids = [integer_at(record, ID) for record in side_loaded]
            self._records.update(
                ((array, id_), record)
                for id_, record in zip(ids, side_loaded, strict=True)
                if id_ is not None and not self._forgotten.matching_array(array, id_)
            )
            self._without_id[array] += ids.count(None)

    @property
    def notes(self) -> list[str]:
        """Messages for the run's log about records that were left out."""
        return [
            f"{shown_array(array)}: left out {counted(count, 'record')} without a usable id"
            for array, count in self._without_id.items()
            if count
        ]

    def table(self) -> pa.Table:
        """One row per record, with its JSON text, without never-stored fields and with personal data redacted."""
        rows = list(self._rows())
        return pa.table([pa.array(column) for column in zip(*rows, strict=True)] or [[], [], []], schema=COLUMNS)

    def _rows(self) -> Iterator[tuple[str, int, str]]:
        redactions = {
            array: Redaction(self._settings, side_loaded_columns(array))
            for array in {array for array, _ in self._records}
        }
        for (array, id_), record in self._records.items():
            kept = without_never_stored([record], never_stored())
            redactions[array].records(kept)
            if keeps_array(self._settings, array, kept[0]):
                yield array, id_, as_json(kept[0])


def keeps_array(settings: CrmSettings, array: str, record: Any) -> bool:
    """Whether a redacted record is stored with the name of its array.

    The name of an undeclared array may itself be data. Unless `personal_data` is keep, it is
    stored only if it looks like a name, with records of which something is kept.
    """
    is_kept = settings.personal_data is PersonalData.keep or bool(side_loaded_columns(array))
    return is_kept or (bool(record) and A_NAME.fullmatch(array) is not None)


def shown_array(array: str) -> str:
    """An array for messages: its name if it is declared, as others may be data."""
    return f"Side-loaded array {array!r}" if side_loaded_columns(array) else "An undeclared side-loaded array"
