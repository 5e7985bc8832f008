"""The catalogue of sources, results of long recipes and weights of our own, as package data."""
