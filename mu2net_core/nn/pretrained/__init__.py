"""Published vision transformers of other libraries, read as layers of ours."""
