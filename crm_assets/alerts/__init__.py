"""Alerts about failures, late tables and recoveries, once per incident, sent to the addresses in `CRM_NOTIFY`.

The assets' hook sees the end of each step of every run, including runs from the command line. The sensors see what no
hook can: a process that died, and a table that is late. Both keep open incidents in the same file.
"""
