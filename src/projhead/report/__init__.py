"""Tables and one page made of result rows: no number in them comes from anywhere else."""
