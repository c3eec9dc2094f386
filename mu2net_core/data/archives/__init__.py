"""Archives of images, ZIP and tar: listed once, then each file is read where it lies, and nothing is unpacked to disk.

``zips.py`` and ``tars.py`` list what is in an archive, ``entries.py`` says what names and sizes may be, ``archive.py``
reads files of it, and ``tree.py`` shows it as the folder that it would be. A compressed tar, in which nothing can be
found without reading all before it, is decompressed to a temporary file without a name.
"""
