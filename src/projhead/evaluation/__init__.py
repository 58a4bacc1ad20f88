"""Candidates beside baselines: results, intervals, planning."""
