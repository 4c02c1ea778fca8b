"""Solvers: they minimise an objective, a function of one flat θ, and know no layer."""
