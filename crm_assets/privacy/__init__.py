"""Which values of the CRM may be stored, and how those that may not are removed for good: policies, forgetting."""
