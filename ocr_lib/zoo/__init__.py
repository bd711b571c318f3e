"""Small trained models by name: an exported file each, and beside it a card with its recipe, data, figures and licence.

``benchmarks/zoo.py`` makes each again from nothing.
"""
