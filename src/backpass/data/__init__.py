"""Data on its way in: one source per file, each handing out pyarrow tables."""
