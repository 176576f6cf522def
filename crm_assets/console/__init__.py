"""What a run shows where it was started: log lines, and how far a read has come. Reads and decides nothing."""
