"""What is shown on a screen, and what is not."""
