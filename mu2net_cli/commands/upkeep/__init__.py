"""config, verify, fsck, gc, cache, doctor."""
