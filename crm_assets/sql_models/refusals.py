"""What is said of model files that cannot be used."""


class ModelsRefused(Exception):
    """Model files that cannot become assets. Tells every file and line, what is wrong there and what to change."""
