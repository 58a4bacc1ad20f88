"""One short file per verb: instantiate, call, save."""
