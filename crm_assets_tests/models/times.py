"""Instants that rows of a test are dated with."""

from datetime import datetime, timedelta, timezone


def ago(**span: float) -> datetime:
    """An instant before now."""
    return datetime.now(timezone.utc) - timedelta(**span)


def ahead(**span: float) -> datetime:
    """An instant after now."""
    return datetime.now(timezone.utc) + timedelta(**span)


def utc(text: str) -> datetime:
    """The instant that a text of ISO 8601 tells; UTC where it names no zone."""
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc)
