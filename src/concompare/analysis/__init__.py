"""Pure functions of records: estimates, findings, the pick."""
