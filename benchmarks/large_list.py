"""Reads and loads one list of millions of records, in a process of its own, as a Markdown table.

    PYTHONPATH=. .venv/bin/python benchmarks/large_list.py --records 1000000 5000000 --warehouse file lake

The server makes contacts by rule and is a process of its own, too. Each record has five undeclared fields, a custom
object, many nulls and texts that differ; each hundredth has values of other types. While the list is read, a record is
added every fifty pages, so the last record of a page comes again on the next one. The list is read in full and loaded
into an empty warehouse, then read in full again, as each night, with another value in each hundredth record. "loaded"
are the seconds after the last page.
"""

import asyncio
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from measuring import MATERIALIZE, head, line, measured, parser, settings

from crm_assets_tests.lake_servers import lake_servers

NEWEST = datetime(2026, 11, 1, tzinfo=timezone.utc)
NULLS = (
    "avatar, active_sales_sequences, completed_sales_sequences, team_user_ids, linkedin, web_form_ids, work_email, "
    "medium, external_id, last_seen_chat, first_seen_chat, total_sessions, keyword, unsubscription_reason"
)
ODD = '"often"', '["high", 3]', "12.5", '{"code": 7}', "true"
"""What the API may send where a number is declared."""


def contact(index: int, version: int) -> str:
    """The JSON text of a record. The same index and version give the same record."""
    id_ = 402_000_000_000 + 7 * index
    changed_at = (NEWEST - timedelta(seconds=index)).isoformat()
    dice = index * 2_654_435_761 % 2**32
    count = str(dice % 40) if index % 100 else ODD[dice % len(ODD)]
    score = dice % 100 if (index + 1) % 100 else version
    mail = f"name.{dice}@company-{index % 90_000}.example"
    return (
        f'{{"id": {id_}, "mcr_id": {1_450_348_061_427_834_880 + dice}, "created_at": "2024-02-10T02:35:30+01:00", '
        f'"updated_at": "{changed_at}", {_NULLS}, "first_name": "First {dice % 5_000}", '
        f'"last_name": "Last {dice}", "display_name": "First {dice % 5_000} Last {dice}", "email": "{mail}", '
        f'"emails": [{{"id": {id_ + 1}, "value": "{mail}", "is_primary": true, "label": null}}], "city": '
        f'"City {dice % 900}", "zipcode": "{dice % 100_000:05}", "address": "{dice % 999} Street {dice % 7_001}", '
        f'"won_deals_count": {count}, "won_deals_amount": "{dice % 90_000}.50", "open_deals_count": 1, '
        f'"lead_score": {score}, "links": {{"notes": "/v1/records/{id_}/notes"}}, '
        f'"tags": ["t{dice % 50}"], "phone_numbers": [], "mobile_number": "+1-782-{dice % 10_000_000}", '
        f'"custom_field": {{"cf_seats": {dice % 40}, "cf_language": null, "cf_note": "note {dice}"}}, '
        f'"region_1": "West", "seat_count_2": {dice % 500}, "usage_ratio_3": 0.{dice % 10_000}1, '
        f'"text_4": {"null" if dice % 3 else json.dumps(f"free text {dice}")}, "odd_5": {ODD[dice % len(ODD)]}}}'
    )


_NULLS = ", ".join(f'"{name}": null' for name in NULLS.split(", "))


class Server(asyncio.Protocol):
    """Answers requests for pages; nothing more of HTTP than the client uses."""

    def __init__(self, records: int, version: int) -> None:
        """Takes the number of records in the list."""
        self._records, self._version, self._received = records, version, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the connection."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers when a request is complete."""
        self._received += data
        while b"\r\n\r\n" in self._received:
            request, _, self._received = self._received.partition(b"\r\n\r\n")
            query = parse_qs(urlsplit(request.split(b" ", 2)[1].decode()).query)
            page, size = int(query["page"][0]), int(query["per_page"][0])
            added = page // 50
            indices = range((page - 1) * size - added, min(page * size - added, self._records))
            records = ", ".join([contact(index, self._version) for index in indices])
            users = '"users": [{"id": 402000017001, "display_name": "Rey Bridges"}]'
            body = f'{{{users}, "contacts": [{records}], "meta": {{"total": {self._records + added}}}}}'.encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)  # type: ignore[attr-defined]


async def serve(records: int, version: int, port: int) -> None:
    """Serves the list until the process ends. Prints the port."""
    server = await asyncio.get_running_loop().create_server(lambda: Server(records, version), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def served(records: int, version: int, port: int) -> Iterator[int]:
    """The list, served by another process; yields its port."""
    command = [sys.executable, __file__, "--serve", str(records), str(version), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def measure(kind: str, warehouse: Mapping[str, str], records: int, reads: int) -> None:
    """Reads the list some times; prints a line for each."""
    port = 0
    with tempfile.TemporaryDirectory() as name:
        folder, file = Path(name), Path(name, "crm.duckdb")
        for version in range(1, reads + 1):
            with served(records, version, port) as port:
                environment = settings(f"http://127.0.0.1:{port}", folder) | {"SOURCES__CRM__PER_PAGE": "100"}
                run = measured([*MATERIALIZE, 'key:"raw/contacts"'], {**warehouse, **environment}, folder)
            loaded = re.search(r"read in ([\d.]+) s, loaded in ([\d.]+) s", run.output)
            assert loaded is not None, run.output
            size = f"{file.stat().st_size / 1e9:.2f}" if file.exists() else ""
            times = (f"{run.wall:.0f}", loaded[1], loaded[2], f"{run.cpu:.0f}")
            line(records, kind, version, *times, f"{run.peak:,.0f}", size)


def main() -> None:
    """Prints the table."""
    options = parser(__doc__)
    options.add_argument("--records", type=int, nargs="+", default=[1_000_000], help="records of the list")
    options.add_argument("--warehouse", nargs="+", choices=("file", "lake"), default=["file"], help="where to")
    options.add_argument("--reads", type=int, default=2, help="full reads of each list, one after another")
    options.add_argument("--serve", type=int, nargs=3, metavar=("RECORDS", "VERSION", "PORT"), help="for this script")
    given = options.parse_args()
    if given.serve:
        asyncio.run(serve(*given.serve))
        return
    numbers = ("seconds:", "read s:", "loaded s:", "CPU s:", "peak MiB:", "file GB:")
    head("records:", "warehouse", "read", *numbers)
    with lake_servers() if "lake" in given.warehouse else nullcontext() as servers:
        for kind, records in product(given.warehouse, given.records):
            measure(kind, servers.new_lake() if servers and kind == "lake" else {}, records, given.reads)


if __name__ == "__main__":
    main()
