"""A plug-in of mu2net: outlines go in and angles come out, of small models, scored and searched in its own way."""
