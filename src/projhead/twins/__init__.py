"""Torch twins of codecs, through which a head is trained, one file each. They import nothing else of projhead."""
