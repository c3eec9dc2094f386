"""Kinds of inputs that are shipped, one a module; ``mu2net_core.data.modality`` says what each must offer."""
