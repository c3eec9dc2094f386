"""From words of a command line to the call of a verb."""
