"""Several agents on one machine: processes, each with cores or devices of its own, that share tasks."""
