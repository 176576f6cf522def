"""docs/metrics.md: the definition of each metric, from the descriptions of columns with `meta: {metric: …}`."""

from pathlib import Path

from crm_assets_tests.models.raw_tables import models

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"

BEGINNING = """\
# Metrics

What the figures of the marts and of the sales review mean. A metric is a column whose entry in YAML has
`config: {meta: {metric: …}}`; its description is the definition. `python -m crm_assets_tests.models.test_metrics`
writes this page. [What the figures mean](figures.md) has the rules behind them.
"""


def metrics() -> dict[str, tuple[str, str]]:
    """Metric -> its column, and its definition."""
    return {
        metric: (f"{address}.{column}", " ".join(model.columns[column].split()))
        for address, model in models().items()
        for metric, column in model.metrics.items()
    }


def page() -> str:
    """The page, as it should be."""
    parts = [f"## {name}\n\n{text}\n\n`{column}`\n" for name, (column, text) in sorted(metrics().items())]
    return "\n".join([BEGINNING, *parts])


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
