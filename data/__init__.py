"""The catalogue of sources, stored results and our own weights, as package data."""
