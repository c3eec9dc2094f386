"""The command line of mu2net: parse, one call into the library, render."""
