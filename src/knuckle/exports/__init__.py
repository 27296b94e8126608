"""Results in other programs' formats: a module per format, all listed in `formats.py` (docs/exports.md).

To add a format: write a `Sink` (and a reader, where files can be read back) in a module of its own, and add a row to
`FORMATS`. `knuckle track --save`, `knuckle convert`, the table in the documents and the tests take it from there.
"""
