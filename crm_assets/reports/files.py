"""Where reports are, and how they are written."""

from pathlib import Path

from crm_assets.settings import Crm, CrmSettings


def page_path(settings: CrmSettings, crm: Crm) -> Path:
    """The path of a CRM's page. The sandbox's page has a different name, so that it is not mistaken for the CRM's."""
    name = "sandbox_sales_review" if settings.is_sandbox else crm.named("sales_review")
    return settings.data_dir / "reports" / f"{name}.html"


def write_privately(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, and replaces the old one atomically.

    Raises:
        OSError: The file cannot be written. The old one is still there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    try:
        unfinished.touch(mode=0o600)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
