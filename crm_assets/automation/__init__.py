"""Jobs, schedules, sensors and the executor: what runs, when and how."""
