"""The page of the sales review: one HTML file that needs no network, no scripts and no other files."""

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from crm_assets.reports.answers import UNKNOWN_CUSTOMERS, answers
from crm_assets.reports.charts import chart
from crm_assets.reports.figures import SalesReview
from crm_assets.reports.formats import Formats
from crm_assets.reports.tables import HEADLINE, Column, tables_of


def render(review: SalesReview, formats: Formats, definitions: Mapping[str, str], source: str, folder: str) -> str:
    """The page as HTML.

    Args:
        review: The figures.
        formats: How figures are written.
        definitions: Metric -> what it means, as in docs/metrics.md.
        source: Where the figures come from, shown to the reader.
        folder: The name of the folder beside the page that has the tables as CSV files.
    """
    tables = tables_of(review)

    def write(column: Column, value: object) -> str:
        return str(getattr(formats, column.kind)(value))

    metrics = {column.metric for table in tables.values() for column in table.columns} | {*HEADLINE.values()}
    environment = Environment(
        loader=PackageLoader("crm_assets.reports", "sales_review"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("page.html").render(
        review=review,
        answers=answers(review, formats),
        tables=tables,
        charts={
            "months": chart(tables["months"], ["won_amount"], "target_amount"),
            "owners": chart(tables["owners"], ["won_amount_this_year"], "target_this_year"),
            "types": chart(tables["types"], ["won_amount_12m"], "won_amount_prior_12m"),
            "backlog": chart(tables["backlog"], [column.name for column in tables["backlog"].columns[1:]]),
            "meetings": chart(tables["meetings"], ["meetings"]),
        },
        definitions={metric: definitions[metric] for metric in sorted(metrics & definitions.keys())},
        folder=folder,
        formats=formats,
        source=source,
        unknown_customers=UNKNOWN_CUSTOMERS if review.parts["risk"][0]["is_unknown"] else "",
        write=write,
    )
