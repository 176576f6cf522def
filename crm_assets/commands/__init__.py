"""The commands of `python -m crm_assets`: a module each, listed in `crm_assets/__main__.py`.

A command's docstring is its help, `add_arguments` says what it takes, and `run` returns the exit code. Expected errors
are raised: `__main__` prints them.
"""
