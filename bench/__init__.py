"""Measurements: what Stockade costs, beside what users would pick instead."""
