"""The error for model files that cannot be used."""


class ModelsRefused(Exception):
    """Model files are wrong. The message has file and line of each error, what is wrong, and what to change."""
