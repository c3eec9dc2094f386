"""Which agent is at which task, here and where its work is pushed to."""
