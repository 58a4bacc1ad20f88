"""Store rows in fewer bytes and get them back; one codec a file, each names its paper."""
