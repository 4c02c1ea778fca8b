"""The command line: arguments to estimators, no numerics."""
