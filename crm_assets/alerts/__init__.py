"""Alerts: one for each cause in a run, and one when it is over, sent to the addresses in `CRM_NOTIFY`.

Where Dagster's daemon runs, the sensor `send_alerts` looks at runs that have ended and at tables that are late. Open
incidents are in its cursor. Without a daemon each run reports at its end, and open incidents are in a tag of the run.
"""
