"""fsck and gc."""
