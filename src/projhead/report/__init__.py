"""Tables and one page, made of result rows alone."""
