"""Files of rows, CSV, JSON Lines and Parquet: read as they are needed, in memory that does not grow with their size.

``content.py`` brings bytes into a shape in which any part can be read alone (unpacked, in an encoding that has ASCII in
it), ``separated.py``, ``json_lines.py`` and ``parquet.py`` make rows of them, ``files.py`` finds rows by number,
``target.py`` says what is to be learned, ``shares.py`` which rows train, validate and test, and ``source.py`` is the
source that all of them make.
"""
