"""Numbers of things, as sentences have them."""


def counted(number: int, thing: str) -> str:
    """A number of things: 1 row, 1,000 rows."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
