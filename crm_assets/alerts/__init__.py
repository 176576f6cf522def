"""Alerts: what failed, is late or has recovered, once per incident, sent to where `CRM_NOTIFY` says.

The hooks of the assets see every run, also one of the command line that no daemon watches. The sensors see what no hook
can: a process that died, and a table that is late. Both settle incidents in the same file.
"""
