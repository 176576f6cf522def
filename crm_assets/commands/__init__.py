"""The commands of `python -m crm_assets`: one module per command, listed in `crm_assets/__main__.py`.

A command's docstring is its help, `add_arguments` declares its arguments, if it has any, and `run` returns the exit
code. Commands raise expected errors, and `__main__` prints their messages. `__main__` adds the option `--crm`.
"""
