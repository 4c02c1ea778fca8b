"""The derivation ledger: every layer and loss against a second opinion, derived by SymPy.

`formulas.py` has each forward formula, once. `derivation.py` differentiates it, `exact.py`
evaluates what comes out to 50 digits, and `comparison.py` holds the code to that in stated ulps, on
the rows of `examples.py`. `mutation.py` plants mistakes in the source, to see them caught;
`twins.py` does so with the compiled plan. `shown.py` reads the microscope's formulas, `pages.py`
writes the derivations into docs/, `record.py` what was found into the package.
"""
