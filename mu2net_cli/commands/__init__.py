"""One file per verb: parse, one call of ``mu2net_core.api``, render."""
