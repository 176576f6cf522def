"""What exists: a folder for each CRM, and what there is once, however many CRMs are read."""
