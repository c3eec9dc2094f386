"""One file per verb: the only room that joins the repository with the engine."""
