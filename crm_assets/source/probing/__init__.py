"""What can be learned of the CRM with two requests a list, before anything is read. Imports all of `source`."""
