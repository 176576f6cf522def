"""Terminal output of a run: log lines and the progress of reads."""
