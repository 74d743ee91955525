"""Measurements: the cost of Stockade, compared with alternatives."""
