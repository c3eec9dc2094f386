"""Models as they are stored and used: roots, eval, predict, and the components a partial clone keeps."""
