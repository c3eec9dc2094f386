"""Computation: compiled training, generations, iterations. No line here sees a path or a URL."""
